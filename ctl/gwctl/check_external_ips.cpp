// SPDX-License-Identifier: Apache-2.0
// Services that take traffic by spec.externalIPs. Whoever may create a Service can so draw any address's traffic to his pods
// (CVE-2020-8554); Penstock ignores the field. Each is told with the Gateway and routes that do the same, where an administrator's
// GatewayClass says which addresses there are.
#include <algorithm>
#include <deque>
#include <optional>
#include <set>
#include <utility>
#include <variant>

#include "ctl/compile/compile.hpp"
#include "ctl/compile/pool.hpp"
#include "ctl/gwctl/analysis.hpp"
#include "ctl/gwctl/answer.hpp"
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

// The pool of a class; nothing if it has none that can be read.
std::optional<compile::Pool> pool_of(const Checking& checking, const model::GatewayClass& one) {
    const auto& ref = one.parameters_ref;
    const auto map = ref && ref->ns ? checking.world.config_map(*ref->ns, ref->name) : nullptr;
    if (map == nullptr) {
        return std::nullopt;
    }
    const auto& data = model::body_of<model::ConfigMap>(*map)->data;
    const auto text = data.find("addresses");
    auto pool = compile::Pool::parse(text == data.end() ? "" : text->second);
    return std::holds_alternative<compile::Pool>(pool) ? std::optional<compile::Pool>(std::get<compile::Pool>(std::move(pool))) : std::nullopt;
}

bool has_all(const compile::Pool& pool, const std::vector<std::string>& ips) {
    return std::all_of(ips.begin(), ips.end(), [&](const std::string& text) {
        const auto ip = IpAddress::parse(text);
        return ip && pool.contains(*ip);
    });
}

struct Choice {
    std::string name;
    std::string lacks;  // whose pool does not have these addresses, as far as one can see: "ConfigMap ns/name"; "": it may give them
};

// A class of ours whose Gateways may have these addresses: by its pool, else one without a pool, else any.
Choice class_for(const Checking& checking, const std::vector<std::string>& ips) {
    std::optional<std::string> poolless;
    std::optional<Choice> other;
    for (const auto& [key, object] : checking.scene.store.of_kind(Kind::gateway_class)) {
        const auto& one = *model::body_of<model::GatewayClass>(*object);
        if (one.controller_name != compile::kControllerName) {
            continue;
        }
        if (const auto pool = pool_of(checking, one); pool && has_all(*pool, ips)) {
            return {.name = key.name};
        }
        if (one.parameters_ref && !other) {
            const model::ObjectRef& pool = *one.parameters_ref;
            other = {.name = key.name, .lacks = checking.scene.unseen.contains(Kind::config_map) ? "" : pool.kind + " " + pool.ns.value_or("") + "/" + pool.name};
        } else if (!one.parameters_ref && !poolless) {
            poolless = key.name;
        }
    }
    return poolless || !other ? Choice{.name = poolless.value_or(kDefaultClass)} : *other;
}

std::string listener_name(const model::ServicePort& port, const std::string& kind) {
    return (kind == "UDPRoute" ? "udp-" : kind == "TCPRoute" ? "tcp-" : "http-") + std::to_string(port.port);
}

const char* protocol_of(const std::string& route_kind) { return route_kind == "UDPRoute" ? "UDP" : route_kind == "TCPRoute" ? "TCP" : "HTTP"; }

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

bool same_address(const std::string& one, const std::string& other) {
    const auto ip = IpAddress::parse(one);
    return ip && ip == IpAddress::parse(other);
}

// A Gateway that was proposed for a Service before this one: no two can have one address.
struct Proposed {
    model::ObjectKey key;
    model::Gateway gateway;
};

// A Gateway as it is there: what it asks for, and what it was given.
struct There {
    const model::ObjectKey& key;
    const model::Gateway& gateway;
    const nlohmann::json& status;
    Proposed* proposed = nullptr;  // null: it is there

    [[nodiscard]] bool has(const std::string& ip) const {
        const nlohmann::json& given = list_at(status, {"addresses"});
        return std::any_of(gateway.addresses.begin(), gateway.addresses.end(), [&](const model::GatewayAddress& one) { return same_address(one.value, ip); }) ||
               std::any_of(given.begin(), given.end(), [&](const nlohmann::json& one) { return same_address(text_at(one, {"value"}), ip); });
    }
    // Null if it does not listen there.
    [[nodiscard]] const model::Listener* listener(const model::ServicePort& port) const {
        const auto found = std::find_if(gateway.listeners.begin(), gateway.listeners.end(),
                                        [&](const model::Listener& one) { return one.port == port.port && (one.protocol == "UDP") == (port.protocol == "UDP"); });
        return found == gateway.listeners.end() ? nullptr : &*found;
    }
};

std::vector<There> gateways_of(const Scene& scene, std::deque<Proposed>& proposed) {
    static const nlohmann::json kNone = nlohmann::json::object();
    std::vector<There> out;
    for (const auto& [key, object] : scene.store.of_kind(Kind::gateway)) {
        const auto status = scene.statuses.find(key);
        out.push_back({key, *model::body_of<model::Gateway>(*object), status == scene.statuses.end() ? kNone : status->second});
    }
    for (Proposed& one : proposed) {
        out.push_back({one.key, one.gateway, kNone, &one});
    }
    return out;
}

// What does as the Service did: a Gateway with routes, or routes alone where a Gateway has the address: no two of them can.
class Replacement {
public:
    Replacement(FreeNames& names, std::string gateway_class, const model::ObjectKey& key, const model::Service& service, const There* holder)
        : names_(names), key_(key), service_(service), holder_(holder), gateway_name_(holder != nullptr ? holder->key.name : names.take(Kind::gateway, key.ns, key.name)), class_(std::move(gateway_class)) {}

    [[nodiscard]] model::ObjectKey gateway_key() const { return {Kind::gateway, key_.ns, gateway_name_}; }

    // Documents of YAML; "" if no port can be taken.
    std::string manifest() {
        ordered_json listeners = ordered_json::array();
        std::string out;
        for (const model::ServicePort& port : service_.ports) {
            const std::string kind = route_kind(port);
            if (kind.empty()) {
                continue;
            }
            listeners.push_back({{"name", listener_name(port, kind)}, {"port", port.port}, {"protocol", protocol_of(kind)}});
            out += (out.empty() ? "" : "---\n") + model::to_yaml_text(model::from_json(route(*model::kind_of_word(kind), listener_name(port, kind), port)));
        }
        return out.empty() || holder_ != nullptr ? out : gateway(listeners) + "---\n" + out;
    }

private:
    [[nodiscard]] std::string gateway(const ordered_json& listeners) const {
        ordered_json out = head(Kind::gateway, key_.ns, gateway_name_);
        ordered_json addresses = ordered_json::array();
        for (const std::string& ip : service_.external_ips) {
            addresses.push_back({{"type", "IPAddress"}, {"value", ip}});
        }
        out["spec"] = {{"gatewayClassName", class_}, {"addresses", addresses}, {"listeners", listeners}};
        return model::to_yaml_text(model::from_json(out));
    }
    ordered_json route(Kind kind, const std::string& listener, const model::ServicePort& port) {
        ordered_json parent = {{"name", gateway_name_}};
        const model::Listener* there = holder_ != nullptr ? holder_->listener(port) : nullptr;
        if (holder_ != nullptr && holder_->key.ns != key_.ns) {
            parent["namespace"] = holder_->key.ns;
        }
        parent["sectionName"] = there != nullptr ? there->name : listener;
        ordered_json out = head(kind, key_.ns, names_.take(kind, key_.ns, service_.ports.size() == 1 ? key_.name : key_.name + "-" + listener));
        out["spec"] = {{"parentRefs", ordered_json::array({parent})}, {"rules", {{{"backendRefs", {{{"name", key_.name}, {"port", port.port}}}}}}}};
        return out;
    }

    FreeNames& names_;
    const model::ObjectKey& key_;
    const model::Service& service_;
    const There* holder_;
    std::string gateway_name_;
    std::string class_;
};

std::string joined(const std::vector<std::string>& texts) {
    std::string out;
    for (const std::string& text : texts) {
        out += (out.empty() ? "" : ", ") + text;
    }
    return out;
}

// A Service with external IPs among the Gateways.
class Case {
public:
    Case(const Checking& checking, const model::ObjectKey& key, const model::Service& service, std::deque<Proposed>& proposed)
        : checking_(checking), key_(key), service_(service), proposed_(proposed), gateways_(gateways_of(checking.scene, proposed)) {
        for (const There& one : gateways_) {
            const auto some = std::count_if(service.external_ips.begin(), service.external_ips.end(), [&](const std::string& ip) { return one.has(ip); });
            if (some > most_) {
                most_ = some;
                holder_ = &one;
            }
        }
    }

    // What it proposes is there for the next.
    Finding finding(FreeNames& names) {
        Finding out{.code = "SV001", .weight = Weight::warning, .object = key_, .path = "spec.externalIPs",
                    .message = "it takes the traffic to " + joined(service_.external_ips) + " for itself, as anybody may who creates Services (CVE-2020-8554); Penstock ignores that", .hint = {}, .manifest = {}, .explains = {}};
        if (holder_ != nullptr && holder_->proposed == nullptr && meets()) {
            out.weight = Weight::error;
            out.message += "; " + holder_->key.text() + " listens on the same address and port: on each node where a proxy of Services runs, that takes its traffic";
        }
        const std::string ports = ports_left_out(service_);
        const std::string after = "then take spec.externalIPs out of the Service" + (ports.empty() ? "" : "; no route can take " + ports + ": that is left out");
        const Choice choice = class_for(checking_, service_.external_ips);
        if (is_replaced()) {
            out.hint = holder_->key.text() + " listens there already: " + after.substr(after.find("take"));
            return out;
        }
        Replacement replacement(names, choice.name, key_, service_, holder_);
        if (out.manifest = replacement.manifest(); out.manifest.empty()) {
            out.hint = "no route can take its ports: they are neither TCP nor UDP";
        } else if (holder_ != nullptr) {
            out.hint = holder_->key.text() + (holder_->proposed != nullptr ? ", proposed for another Service, has the address: " : " has the address: ") + lacking_listeners() + "apply the routes below, " + after + from_elsewhere();
        } else {
            out.hint = "apply the Gateway below, " + after + (choice.lacks.empty() ? "" : "; no GatewayClass of Penstock's has the address in its pool: put it into that of GatewayClass " + choice.name + " first, " + choice.lacks);
        }
        if (!out.manifest.empty()) {
            note(replacement.gateway_key());
        }
        return out;
    }

private:
    void note(const model::ObjectKey& gateway) {
        Proposed* one = holder_ != nullptr ? holder_->proposed : nullptr;
        if (holder_ == nullptr) {
            one = &proposed_.emplace_back(Proposed{.key = gateway, .gateway = {}});
            for (const std::string& ip : service_.external_ips) {
                one->gateway.addresses.push_back({.type = "IPAddress", .value = ip});
            }
        }
        if (one == nullptr) {
            return;  // it is there
        }
        for (const model::ServicePort& port : service_.ports) {
            const std::string kind = route_kind(port);
            if (!kind.empty() && (holder_ == nullptr || holder_->listener(port) == nullptr)) {
                model::Listener& listener = one->gateway.listeners.emplace_back();
                listener.name = listener_name(port, kind);
                listener.port = port.port;
                listener.protocol = protocol_of(kind);
            }
        }
    }

    // One of its ports is one of the holder's.
    [[nodiscard]] bool meets() const {
        return std::any_of(service_.ports.begin(), service_.ports.end(), [&](const model::ServicePort& port) { return !route_kind(port).empty() && holder_->listener(port) != nullptr; });
    }
    // The holder has all that a route can carry, and a route leads here.
    [[nodiscard]] bool is_replaced() const {
        return holder_ != nullptr && most_ == static_cast<std::ptrdiff_t>(service_.external_ips.size()) && meets() && lacking_listeners().empty() && checking_.led_to.contains(key_);
    }
    [[nodiscard]] std::string lacking_listeners() const {
        std::string out;
        for (const model::ServicePort& port : service_.ports) {
            const std::string kind = route_kind(port);
            if (!kind.empty() && holder_->listener(port) == nullptr) {
                out += (out.empty() ? "give it a listener " : " and ") + listener_name(port, kind) + " at " + std::to_string(port.port) + "/" + port.protocol;
            }
        }
        return out.empty() ? "" : out + ", ";
    }
    [[nodiscard]] std::string from_elsewhere() const { return holder_->key.ns == key_.ns ? "" : "; its allowedRoutes must admit the namespace " + key_.ns; }

    const Checking& checking_;
    const model::ObjectKey& key_;
    const model::Service& service_;
    std::deque<Proposed>& proposed_;
    std::vector<There> gateways_;
    const There* holder_ = nullptr;  // the Gateway that has the most of the addresses
    std::ptrdiff_t most_ = 0;
};

}  // namespace

void check_external_ips(Checking& checking) {
    FreeNames names(checking.scene.store);
    std::deque<Proposed> proposed;
    for (const auto& [key, object] : checking.scene.store.of_kind(Kind::service)) {
        const auto& service = *model::body_of<model::Service>(*object);
        if (!service.external_ips.empty()) {
            checking.add(Case(checking, key, service, proposed).finding(names));
        }
    }
}

}  // namespace penstock::gwctl
