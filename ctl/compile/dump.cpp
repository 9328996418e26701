// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/dump.hpp"

#include "ctl/compile/dump_snapshot.hpp"

namespace penstock::compile {
namespace {

std::string dump_addresses(const std::vector<ClaimedAddress>& addresses) {
    std::string out = "addresses\n";
    for (const ClaimedAddress& address : addresses) {
        out += "  " + address.address.text() + (address.requested ? " requested" : " own") + " " + address.owner.text() + "\n";
    }
    return out;
}

std::string dump(const Steering& steering) {
    std::string out = "steering\n";
    for (const Vip& vip : steering.vips) {
        out += std::string("  ") + (vip.transport == Transport::udp ? "udp/" : "tcp/") + vip.address.text() + " -> ";
        out += vip.target == Vip::Target::service ? "service " + std::to_string(vip.service) : std::string("ours");
        out += "\n";
    }
    for (const Service& service : steering.services) {
        out += "  service " + std::to_string(service.id) + " " + service.name;
        for (const WeightedBackend& entry : service.backends) {
            out += " " + std::to_string(entry.backend) + "*" + (entry.draining ? "draining" : std::to_string(entry.weight));
        }
        out += "\n";
    }
    for (const Backend& backend : steering.backends) {
        out += "  backend " + std::to_string(backend.id) + " " + backend.endpoint.text() + (backend.target.empty() ? "" : " " + backend.target) + "\n";
    }
    return out;
}

// "Accepted" where all is well, else status, reason and message.
void add_conditions(std::string& out, const Conditions& conditions) {
    for (const Condition& condition : conditions) {
        const bool plain = condition.holds() && condition.reason_name() == condition.type_name() && condition.message.empty();
        out += std::string(" ") + std::string(condition.type_name());
        if (!plain) {
            out += std::string(condition.holds() ? "=True/" : "=False/") + std::string(condition.reason_name());
            out += condition.message.empty() ? "" : "(" + condition.message + ")";
        }
    }
    out += "\n";
}

void add_listeners(std::string& out, const std::vector<ListenerStatus>& listeners) {
    for (const ListenerStatus& listener : listeners) {
        out += "    listener " + listener.name + " routes=" + std::to_string(listener.attached_routes) + " kinds=";
        for (std::size_t i = 0; i < listener.supported_kinds.size(); ++i) {
            out += (i == 0 ? "" : ",") + listener.supported_kinds[i].kind;
        }
        add_conditions(out, listener.conditions);
    }
}

std::string parent_text(const model::ParentRef& ref) {
    std::string out = ref.kind.value_or("Gateway") + " " + (ref.ns ? *ref.ns + "/" : "") + ref.name;
    out += ref.section_name ? "/" + *ref.section_name : "";
    return out + (ref.port ? ":" + std::to_string(*ref.port) : "");
}

struct StatusDumper {
    std::string& out;

    void operator()(const ClassStatus& status) const { add_conditions(out, status.conditions); }
    void operator()(const GatewayStatus& status) const {
        out += status.attached_listener_sets != 0 ? " sets=" + std::to_string(status.attached_listener_sets) : "";
        for (const StatusAddress& address : status.addresses) {
            out += " " + address.value;
        }
        add_conditions(out, status.conditions);
        add_listeners(out, status.listeners);
    }
    void operator()(const ListenerSetStatus& status) const {
        add_conditions(out, status.conditions);
        add_listeners(out, status.listeners);
    }
    void operator()(const RouteStatus& status) const {
        out += "\n";
        for (const RouteParentStatus& parent : status.parents) {
            out += "    parent " + parent_text(parent.parent_ref);
            add_conditions(out, parent.conditions);
        }
    }
    void operator()(const PolicyStatus& status) const {
        out += "\n";
        for (const PolicyAncestorStatus& ancestor : status.ancestors) {
            out += "    ancestor " + ancestor.gateway.text();
            add_conditions(out, ancestor.conditions);
        }
    }
};

std::string dump(const Statuses& statuses) {
    std::string out = "conditions\n";
    for (const auto& [key, status] : statuses) {
        out += "  " + key.text();
        std::visit(StatusDumper{out}, status->body);
    }
    return out;
}

}  // namespace

std::string dump(const Compiled& compiled, const DumpOptions& options) {
    std::string out;
    if (options.tables) {
        out += dump_addresses(compiled.addresses) + dump(compiled.snapshot) + dump(compiled.steering);
    }
    if (options.conditions) {
        out += dump(compiled.statuses);
    }
    return out;
}

}  // namespace penstock::compile
