// SPDX-License-Identifier: Apache-2.0
// What controllers say of the objects: conditions that are not good, those of a generation before, and silence.
#include <algorithm>
#include <functional>

#include "ctl/compile/conditions.hpp"
#include "ctl/gwctl/analysis.hpp"
#include "ctl/gwctl/answer.hpp"
#include "ctl/gwctl/object_view.hpp"

namespace penstock::gwctl {

namespace {

using model::Kind;
using nlohmann::json;

// Which conditions must hold. Of types that nobody told us we do not know what is good.
bool must_hold(const std::string& type) { return type == "Accepted" || type == "Programmed" || type == "ResolvedRefs"; }

bool has_status(Kind kind) {
    switch (kind) {
        case Kind::gateway_class:
        case Kind::gateway:
        case Kind::listener_set:
        case Kind::http_route:
        case Kind::grpc_route:
        case Kind::tls_route:
        case Kind::tcp_route:
        case Kind::udp_route: return true;
        default: return false;
    }
}

// Of each object the codes of what was found, and the reasons that this explains.
using Known = std::map<model::ObjectKey, std::set<std::string, std::less<>>>;

Known known_of(const std::vector<Finding>& findings) {
    Known known;
    for (const Finding& one : findings) {
        known[one.object].insert({std::string(one.code), one.explains});
    }
    return known;
}

class OfOne {
public:
    OfOne(Checking& checking, const Known& known, const model::Object& object) : checking_(checking), known_(known), object_(object) {}

    void run(const json& status) {
        bool said = false;
        bool late = false;
        each_condition(status, [&](const std::string& where, const json& condition) {
            // What the CRD fills in before any controller came.
            said |= text_at(condition, {"status"}) != "Unknown";
            late |= count_at(condition, {"observedGeneration"}) < static_cast<std::uint64_t>(std::max<std::int64_t>(object_.meta.generation, 0)) && condition.contains("observedGeneration");
            look_at(where, condition);
        });
        if (!checking_.scene.watched) {
            return;
        }
        if (!said && !is_known("GW001") && !is_known("RT001") && !is_known("RT003")) {
            add("GW002", Weight::warning, "", "nobody has said anything of it", silence_hint());
        } else if (late) {
            add("GW003", Weight::warning, "status", "the status is of a generation before this one (" + std::to_string(object_.meta.generation) + ")", "does its controller run?");
        }
    }

private:
    void add(std::string_view code, Weight weight, std::string path, std::string message, std::string hint) {
        checking_.add({.code = code, .weight = weight, .object = object_.key, .path = std::move(path), .message = std::move(message), .hint = std::move(hint), .manifest = {}, .explains = {}});
    }
    void look_at(const std::string& where, const json& condition) {
        const std::string type = text_at(condition, {"type"});
        const std::string status = text_at(condition, {"status"});
        const std::string reason = text_at(condition, {"reason"});
        const bool fails = must_hold(type) && status == "False";
        const bool tells = compile::is_bad_news(type) && status == "True";
        if ((fails || tells) && !is_known(reason)) {
            const std::string message = text_at(condition, {"message"});
            add("ST001", fails ? Weight::error : Weight::warning, where, type + "=" + status + ", " + reason + (message.empty() ? "" : ": " + message), "");
        }
    }
    [[nodiscard]] bool is_known(std::string_view what) const {
        const auto found = known_.find(object_.key);
        return found != known_.end() && found->second.contains(what);
    }
    [[nodiscard]] std::string silence_hint() const {
        const auto* gateway_class = model::body_of<model::GatewayClass>(object_);
        return gateway_class != nullptr ? "does the controller " + gateway_class->controller_name + " run?" : "does the controller of its GatewayClass run?";
    }

    Checking& checking_;
    const Known& known_;
    const model::Object& object_;
};

}  // namespace

void check_conditions(Checking& checking) {
    static const json kNone = json::object();
    const Known known = known_of(checking.findings);
    for (const auto& [key, object] : checking.scene.store) {
        const auto found = checking.scene.statuses.find(key);
        if (has_status(key.kind) || found != checking.scene.statuses.end()) {
            OfOne(checking, known, *object).run(found != checking.scene.statuses.end() ? found->second : kNone);
        }
    }
}

}  // namespace penstock::gwctl
