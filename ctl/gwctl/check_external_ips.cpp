// SPDX-License-Identifier: Apache-2.0
// Services that take traffic by spec.externalIPs. Whoever may create a Service can so draw any address's traffic to his pods
// (CVE-2020-8554); Penstock ignores the field. Each is told with the Gateway and routes that do the same, where an administrator's
// GatewayClass says which addresses there are.
#include <algorithm>
#include <set>
#include <utility>

#include "ctl/compile/compile.hpp"
#include "ctl/gwctl/analysis.hpp"
#include "ctl/model/value_text.hpp"

namespace penstock::gwctl {

namespace {

using model::Kind;
using nlohmann::ordered_json;

constexpr const char* kDefaultClass = "penstock";

bool speaks_http(const model::ServicePort& port) {
    const std::string& app = port.app_protocol;
    return app == "http" || app == "kubernetes.io/h2c" || app == "kubernetes.io/ws" || (app.empty() && (port.name == "http" || port.name.starts_with("http-")));
}

// Which route takes a port; "" if none can.
std::string route_kind(const model::ServicePort& port) { return port.protocol == "UDP" ? "UDPRoute" : port.protocol != "TCP" ? "" : speaks_http(port) ? "HTTPRoute" : "TCPRoute"; }

std::string class_of(const model::Store& store) {
    for (const auto& [key, object] : store.of_kind(Kind::gateway_class)) {
        if (model::body_of<model::GatewayClass>(*object)->controller_name == compile::kControllerName) {
            return key.name;
        }
    }
    return kDefaultClass;
}

std::string listener_name(const model::ServicePort& port, const std::string& kind) {
    return (kind == "UDPRoute" ? "udp-" : kind == "TCPRoute" ? "tcp-" : "http-") + std::to_string(port.port);
}

ordered_json head(Kind kind, const std::string& ns, const std::string& name) {
    const model::KindInfo& info = model::info(kind);
    return {{"apiVersion", std::string(info.group) + "/" + std::string(info.version)}, {"kind", info.name}, {"metadata", {{"name", name}, {"namespace", ns}}}};
}

// Names for new objects: what is there must not be overwritten, nor what was told before.
class FreeNames {
public:
    explicit FreeNames(const model::Store& store) : store_(store) {}

    // `name`, or one like it that no object of this kind has in the namespace.
    std::string take(Kind kind, const std::string& ns, const std::string& name) {
        std::string out = name;
        for (int i = 1; store_.get(kind, ns, out) != nullptr || !told_.insert({kind, ns, out}).second; ++i) {
            out = name + "-external" + (i == 1 ? "" : "-" + std::to_string(i));
        }
        return out;
    }

private:
    const model::Store& store_;
    std::set<model::ObjectKey> told_;
};

// "9/SCTP, 10/SCTP": the ports that no route carries.
std::string ports_left_out(const model::Service& service) {
    std::string out;
    for (const model::ServicePort& port : service.ports) {
        if (route_kind(port).empty()) {
            out += (out.empty() ? "" : ", ") + std::to_string(port.port) + "/" + port.protocol;
        }
    }
    return out;
}

class Replacement {
public:
    Replacement(FreeNames& names, std::string gateway_class, const model::ObjectKey& key, const model::Service& service)
        : names_(names), key_(key), service_(service), gateway_name_(names.take(Kind::gateway, key.ns, key.name)), class_(std::move(gateway_class)) {}

    // Documents of YAML; "" if no port can be taken.
    std::string manifest() {
        ordered_json listeners = ordered_json::array();
        std::vector<ordered_json> routes;
        for (const model::ServicePort& port : service_.ports) {
            const std::string kind = route_kind(port);
            if (kind.empty()) {
                continue;
            }
            const std::string name = listener_name(port, kind);
            listeners.push_back({{"name", name}, {"port", port.port}, {"protocol", kind == "UDPRoute" ? "UDP" : kind == "TCPRoute" ? "TCP" : "HTTP"}});
            routes.push_back(route(*model::kind_of_word(kind), name, port));
        }
        if (routes.empty()) {
            return "";
        }
        ordered_json gateway = head(Kind::gateway, key_.ns, gateway_name_);
        ordered_json addresses = ordered_json::array();
        for (const std::string& ip : service_.external_ips) {
            addresses.push_back({{"type", "IPAddress"}, {"value", ip}});
        }
        gateway["spec"] = {{"gatewayClassName", class_}, {"addresses", addresses}, {"listeners", listeners}};
        std::string out = model::to_yaml_text(model::from_json(gateway));
        for (const ordered_json& route : routes) {
            out += "---\n" + model::to_yaml_text(model::from_json(route));
        }
        return out;
    }

private:
    ordered_json route(Kind kind, const std::string& listener, const model::ServicePort& port) {
        ordered_json out = head(kind, key_.ns, names_.take(kind, key_.ns, service_.ports.size() == 1 ? key_.name : key_.name + "-" + listener));
        out["spec"] = {{"parentRefs", {{{"name", gateway_name_}, {"sectionName", listener}}}}, {"rules", {{{"backendRefs", {{{"name", key_.name}, {"port", port.port}}}}}}}};
        return out;
    }

    FreeNames& names_;
    const model::ObjectKey& key_;
    const model::Service& service_;
    std::string gateway_name_;
    std::string class_;
};

// A Gateway that listens on all that the Service has taken and a route can carry; "" if there is none.
std::string replaced_by(const model::Store& store, const model::Service& service) {
    if (std::all_of(service.ports.begin(), service.ports.end(), [](const model::ServicePort& port) { return route_kind(port).empty(); })) {
        return "";
    }
    for (const auto& [key, object] : store.of_kind(Kind::gateway)) {
        const auto& gateway = *model::body_of<model::Gateway>(*object);
        const bool addresses = std::all_of(service.external_ips.begin(), service.external_ips.end(), [&](const std::string& ip) {
            return std::any_of(gateway.addresses.begin(), gateway.addresses.end(), [&](const model::GatewayAddress& one) { return one.value == ip; });
        });
        const bool ports = std::all_of(service.ports.begin(), service.ports.end(), [&](const model::ServicePort& port) {
            return route_kind(port).empty() || std::any_of(gateway.listeners.begin(), gateway.listeners.end(), [&](const model::Listener& one) { return one.port == port.port && (one.protocol == "UDP") == (port.protocol == "UDP"); });
        });
        if (addresses && ports) {
            return key.text();
        }
    }
    return "";
}

}  // namespace

void check_external_ips(Checking& checking) {
    const model::Store& store = checking.scene.store;
    FreeNames names(store);
    for (const auto& [key, object] : store.of_kind(Kind::service)) {
        const auto& service = *model::body_of<model::Service>(*object);
        if (service.external_ips.empty()) {
            continue;
        }
        std::string ips;
        for (const std::string& ip : service.external_ips) {
            ips += (ips.empty() ? "" : ", ") + ip;
        }
        Finding finding{.code = "SV001", .weight = Weight::warning, .object = key, .path = "spec.externalIPs",
                        .message = "it takes the traffic to " + ips + " for itself, as anybody may who creates Services (CVE-2020-8554); Penstock ignores that", .hint = {}, .manifest = {}, .explains = {}};
        const std::string ports = ports_left_out(service);
        const std::string left_out = ports.empty() ? "" : "; no route can take " + ports + ": that is left out";
        if (const std::string gateway = replaced_by(store, service); !gateway.empty()) {
            finding.hint = gateway + " listens there already: take spec.externalIPs out of the Service" + left_out;
        } else if (finding.manifest = Replacement(names, class_of(store), key, service).manifest(); finding.manifest.empty()) {
            finding.hint = "no route can take its ports: they are neither TCP nor UDP";
        } else {
            finding.hint = "apply the Gateway below, then take spec.externalIPs out of the Service" + left_out;
        }
        checking.add(std::move(finding));
    }
}

}  // namespace penstock::gwctl
