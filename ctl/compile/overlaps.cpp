// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/overlaps.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "ctl/compile/conflicts.hpp"

namespace penstock::compile {
namespace {

// The names that cover `name` besides itself: "*.b.c" and "*.c" of "a.b.c".
std::vector<std::string> wider_names(const std::string& name) {
    std::vector<std::string> out;
    for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
        out.push_back("*" + name.substr(dot));
    }
    std::erase(out, name);
    return out;
}

// Of two names that overlap one covers the other, so it is enough to look for what covers each.
class PortOverlaps {
public:
    PortOverlaps(Front& front, const std::vector<std::size_t>& group) : front_(front), group_(group) {}

    void run() {
        compare_certificates();
        compare_hostnames();
    }

private:
    using Secrets = std::map<const model::Object*, std::size_t>;  // with a listener that serves it

    // ---- certificates ----
    void compare_certificates() {
        for (const std::size_t at : group_) {
            for (const ServingCertificatePtr& certificate : front_.listeners[at].certificates) {
                for (const std::string& name : certificate->names) {
                    by_name_[name].emplace(certificate->secret.get(), at);
                }
            }
        }
        for (const std::size_t at : group_) {
            find_other_certificates(at);
        }
        for (const std::size_t at : group_) {
            for (const ServingCertificatePtr& certificate : front_.listeners[at].certificates) {
                if (const auto found = overlapping_.find(certificate->secret.get()); found != overlapping_.end()) {
                    tell(at, found->second, ConditionReason::ListenerOverlappingTls_overlapping_certificates, "a certificate names hosts that one of ");
                }
            }
        }
    }

    void find_other_certificates(std::size_t at) {
        for (const ServingCertificatePtr& certificate : front_.listeners[at].certificates) {
            for (const std::string& name : certificate->names) {
                compare(at, *certificate, by_name_.at(name));
                for (const std::string& wider : wider_names(name)) {
                    if (const auto found = by_name_.find(wider); found != by_name_.end()) {
                        compare(at, *certificate, found->second);
                    }
                }
            }
        }
    }

    void compare(std::size_t at, const ServingCertificate& certificate, const Secrets& secrets) {
        const auto& mine = front_.listeners[at].certificates;
        for (const auto& [secret, listener] : secrets) {
            const bool shared = std::any_of(mine.begin(), mine.end(), [s = secret](const auto& own) { return own->secret.get() == s; });
            if (!shared) {
                overlapping_.emplace(certificate.secret.get(), listener);
                overlapping_.emplace(secret, at);
                return;
            }
        }
    }

    // ---- host names ----
    void compare_hostnames() {
        std::unordered_map<std::string, std::size_t> by_hostname;
        for (const std::size_t at : group_) {
            by_hostname.emplace(front_.listeners[at].hostname, at);
        }
        const auto compare_with = [&](std::size_t at, const std::string& wider) {
            if (const auto found = by_hostname.find(wider); found != by_hostname.end()) {
                constexpr auto kReason = ConditionReason::ListenerOverlappingTls_overlapping_hostnames;
                tell(at, found->second, kReason, "the host name overlaps with that of ");
                tell(found->second, at, kReason, "the host name overlaps with that of ");
            }
        };
        for (const std::size_t at : group_) {
            const std::string& hostname = front_.listeners[at].hostname;
            for (const std::string& wider : wider_names(hostname)) {
                compare_with(at, wider);
            }
            if (!hostname.empty()) {
                compare_with(at, "");
            }
        }
    }

    // What is found first is told.
    void tell(std::size_t at, std::size_t other, ConditionReason reason, const std::string& message) {
        Listener& listener = front_.listeners[at];
        if (at != other && !listener.overlapping) {
            const bool certificate = reason == ConditionReason::ListenerOverlappingTls_overlapping_certificates;
            listener.overlapping = Condition{reason, message + name_for(listener, front_.listeners[other]) + (certificate ? " names too" : "")};
        }
    }

    Front& front_;
    const std::vector<std::size_t>& group_;
    std::unordered_map<std::string, Secrets> by_name_;
    std::unordered_map<const model::Object*, std::size_t> overlapping_;  // Secrets, with a listener that has another one
};

}  // namespace

void find_overlaps(Front& front, const std::vector<std::size_t>& listeners) {
    std::map<std::int64_t, std::vector<std::size_t>> ports;
    for (const std::size_t index : listeners) {
        const Listener& listener = front.listeners[index];
        if (listener.mode == fb::ListenerMode::Https && !listener.refused) {
            ports[listener.spec->port].push_back(index);
        }
    }
    for (const auto& [port, group] : ports) {
        PortOverlaps(front, group).run();
    }
}

}  // namespace penstock::compile
