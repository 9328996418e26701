// SPDX-License-Identifier: Apache-2.0
// For tests: everything of a change that is pure, one stage after the other as the daemon does it, and what must hold of each whatever the
// objects are: compile -> the worker's route tables -> plan -> statuses -> what is written to an API server. Beside the objects under test
// stand good ones of another namespace, older than all; what they serve must not change.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "ctl/compile/compile.hpp"
#include "ctl/compile/dangling.hpp"
#include "ctl/compile/golden/invariants.hpp"
#include "ctl/gwctl/analysis.hpp"
#include "ctl/gwctl/trace_tables.hpp"
#include "ctl/model/decode.hpp"
#include "ctl/model/value_text.hpp"
#include "ctl/plan/publish.hpp"
#include "ctl/plan/steering_plan.hpp"
#include "ctl/status/book.hpp"
#include "ctl/status/conditions_json.hpp"
#include "ctl/status/merged.hpp"
#include "schema/part_name.hpp"
#include "userspace/match/route_table.hpp"

namespace penstock::gwctl::testing {

using Faults = compile::golden::Faults;
using nlohmann::json;

inline constexpr const char* kNeighbourHost = "served.beside.example";  // no junk has it
inline constexpr const char* kNeighbour = R"(
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: beside}
spec: {controllerName: penstock.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: beside, namespace: beside}
spec:
  gatewayClassName: beside
  addresses: [{value: 192.0.2.77}]
  allowedListeners: {namespaces: {from: All}}
  listeners:
  - {name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}
  - {name: tcp, port: 9000, protocol: TCP}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: beside, namespace: beside}
spec:
  parentRefs: [{name: beside}]
  hostnames: [served.beside.example]
  rules: [{backendRefs: [{name: beside, port: 80}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: {name: beside, namespace: beside}
spec:
  parentRefs: [{name: beside, sectionName: tcp}]
  rules: [{backendRefs: [{name: beside, port: 80}]}]
---
apiVersion: v1
kind: Service
metadata: {name: beside, namespace: beside}
spec: {ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: beside, namespace: beside, labels: {kubernetes.io/service-name: beside}}
addressType: IPv4
ports: [{port: 8080}]
endpoints: [{addresses: [10.9.0.1]}]
)";

// The maps of the packet core, and what a plan writes.
struct Maps {
    static constexpr std::size_t kServices = 64;
    static constexpr std::size_t kBackends = 256;

    pst_filter filter = {};
    std::map<plan::VipKey, pst_vip> vips;
    std::vector<pst_service_word_t> services = std::vector<pst_service_word_t>(kServices);
    std::vector<std::uint32_t> slots = std::vector<std::uint32_t>(1 << 17);
    std::vector<pst_backend> backends = std::vector<pst_backend>(kBackends);

    [[nodiscard]] plan::Observed observed() const {
        return {.filter = &filter, .vips = &vips, .vips_max = 128, .services = services, .slots = slots, .backends = backends};
    }
    void operator()(const plan::PutFilter& step) { filter.slot[step.slot] = step.value; }
    void operator()(const plan::PutVip& step) { vips[step.key] = step.vip; }
    void operator()(const plan::EraseVip& step) { vips.erase(step.key); }
    void operator()(const plan::PutSlots& step) { std::copy(step.slots->begin(), step.slots->end(), slots.begin() + step.offset); }
    void operator()(const plan::PutService& step) { services.at(step.service) = step.word; }
    void operator()(const plan::PutBackend& step) { backends.at(step.id) = step.backend; }
    template <class Other>
    void operator()(const Other& /*step*/) {}
};

class Pipeline {
public:
    Pipeline() {
        options_.node_addresses = {*IpAddress::parse("192.0.2.1"), *IpAddress::parse("2001:db8::1")};
        options_.limits.services_max = Maps::kServices - 1;
        options_.limits.backends_max = Maps::kBackends - 1;
        options_.limits.vips_max = 128;
        std::vector<model::Diagnostic> diagnostics;
        for (const model::ObjectPtr& object : model::parse_manifests(kNeighbour, "beside.yaml").objects) {
            put(beside_, *object, 1);
        }
        alone_ = compile::compile(beside_, options_);
        want(has_neighbour(alone_), "the neighbour alone is not served");
        want(beside_.size() == 6, "the neighbour is not whole");
    }

    // What does not hold.
    Faults faults_of(const std::vector<model::Value>& documents, bool xdp) {
        model::Store store = beside_;
        for (const model::Value& document : documents) {
            std::vector<model::Diagnostic> diagnostics;
            take(store, model::decode_object(document, "junk.yaml", diagnostics));
            check(diagnostics);
        }
        return faults_of(store, documents, xdp);
    }
    Faults faults_of(std::string_view text, bool xdp) {
        const model::TextLimits limits{.bytes_max = 1 << 16, .nodes_max = 20'000, .depth_max = 64};
        model::Store store = beside_;
        const model::ParseResult result = model::parse_manifests(text, "junk.yaml", limits);
        for (const model::ObjectPtr& object : result.objects) {
            take(store, object);
        }
        check(result.diagnostics);
        return faults_of(store, {}, xdp);
    }

private:
    void want(bool holds, const std::string& fault) {
        if (!holds) {
            faults_.push_back(fault);
        }
    }
    static void put(model::Store& store, const model::Object& object, std::int64_t created_s) {
        auto copy = std::make_shared<model::Object>(object);
        copy->meta.generation = created_s;
        copy->meta.creation_s = created_s;
        store.put(std::move(copy));
    }
    // Younger than the neighbour, whatever it says, and none of its own namespace, where it could take its Service's place.
    void take(model::Store& store, const model::ObjectPtr& object) {
        const bool of_neighbour = object != nullptr && (object->key.ns == "beside" || object->key.name == "beside");
        if (object != nullptr && !of_neighbour && object->raw.rest.find(kNeighbourHost) == std::string::npos) {
            put(store, *object, 1000 + static_cast<std::int64_t>(store.size()));
        }
    }

    Faults faults_of(const model::Store& store, const std::vector<model::Value>& documents, bool xdp) {
        options_.xdp = xdp;
        const compile::Compiled compiled = compile::compile(store, options_, &alone_);
        add(compile::golden::faults_of(compiled));
        check_pure(store, compiled);
        want(has_neighbour(compiled), "the neighbour is not served as before");
        check_route_tables(compiled);
        check_plan(compiled);
        check_statuses(store, compiled, documents);
        check_gwctl(store, compiled);
        const compile::Compiled after = compile::compile(beside_, options_, &compiled);
        want(has_neighbour(after) && after.statuses.size() == beside_statuses(), "something stays when the junk has gone");
        return std::exchange(faults_, {});
    }
    [[nodiscard]] std::size_t beside_statuses() const { return alone_.statuses.size(); }
    void add(const Faults& faults) { faults_.insert(faults_.end(), faults.begin(), faults.end()); }

    // Upon what was, from nothing, and a second time: the same.
    void check_pure(const model::Store& store, const compile::Compiled& compiled) {
        compile::Compiled numbers;
        numbers.ids = alone_.ids;
        numbers.pairs = alone_.pairs;
        const compile::Compiled fresh = compile::compile(store, options_, &numbers);
        const compile::Compiled again = compile::compile(store, options_, &compiled);
        for (const compile::Compiled* other : {&fresh, &again}) {
            const std::string which = other == &fresh ? "from nothing: " : "again: ";
            want(*other->snapshot.root == *compiled.snapshot.root, which + "another root");
            want(other->steering == compiled.steering, which + "other steering");
            want(other->addresses == compiled.addresses, which + "other addresses");
            want(std::equal(other->statuses.begin(), other->statuses.end(), compiled.statuses.begin(), compiled.statuses.end(),
                            [](const auto& one, const auto& two) { return one.first == two.first && *one.second == *two.second; }),
                 which + "other statuses");
        }
        want(again.statuses == compiled.statuses && again.snapshot.parts == compiled.snapshot.parts, "again: objects are not shared");
    }

    // ---- the neighbour
    static std::optional<json> traced(const compile::Compiled& compiled) {
        TraceTables tables{.root = *compiled.snapshot.root, .parts = {}};
        for (const auto& [path, part] : compiled.snapshot.parts) {
            tables.parts.emplace(path, *part->bytes);
        }
        const auto answer = trace(tables, *parse_trace_request({std::string("http://") + kNeighbourHost + "/"}));
        return answer.ok() ? std::optional(*answer) : std::nullopt;
    }
    bool has_neighbour(const compile::Compiled& compiled) {
        const auto answer = traced(compiled);
        const json ports = answer ? (*answer)["ports"] : json();
        const bool http = std::any_of(ports.begin(), ports.end(), [](const json& port) {
            return port["socket"].get<std::string>().find("192.0.2.77:80") != std::string::npos && port["rule"]["route"] == "HTTPRoute beside/beside" &&
                   port["backends"].size() == 1 && port["backends"][0]["endpoints"] == json::array({"10.9.0.1:8080"});
        });
        const bool tcp = std::any_of(compiled.steering.vips.begin(), compiled.steering.vips.end(), [](const compile::Vip& vip) {
            return vip.address.text() == "192.0.2.77:9000" && vip.object.ns == "beside";
        });
        return http && (tcp || !options_.xdp) && is_told(compiled, {model::Kind::gateway, "beside", "beside"}) && is_told(compiled, {model::Kind::http_route, "beside", "beside"}) &&
               is_told(compiled, {model::Kind::tcp_route, "beside", "beside"});
    }
    // Accepted, Programmed and whatever else says so: all is well.
    static bool is_told(const compile::Compiled& compiled, const model::ObjectKey& key) {
        const auto* status = compiled.statuses.get(key);
        bool well = status != nullptr;
        if (well) {
            compile::golden::visit_conditions(**status, [&](const compile::Conditions& conditions) {
                well = well && !conditions.empty() && std::all_of(conditions.begin(), conditions.end(), [](const compile::Condition& one) { return one.holds() != compile::is_bad_news(one.type_name()); });
            });
        }
        return well;
    }

    // ---- the data path
    void check_route_tables(const compile::Compiled& compiled) {
        for (const auto& [path, part] : compiled.snapshot.parts) {
            if (part->kind == snapshot::PartKind::Host) {
                const auto built = match::RouteTable::build({reinterpret_cast<const std::uint8_t*>(part->bytes->data()), part->bytes->size()});
                want(built.ok(), path + ": the worker refuses it: " + (built.ok() ? "" : built.error().report()));
            }
        }
    }
    void check_plan(const compile::Compiled& compiled) {
        const auto items = plan::puts({}, {}, compiled.snapshot, "root/1");
        want(plan::puts({items.begin(), items.end()}, compiled.snapshot, compiled.snapshot, "root/1").empty(), "what the keeper holds is put again");
        plan::ReachTable reach;
        for (const compile::Backend& backend : compiled.steering.backends) {
            const bool six = backend.endpoint.address.family == Family::v6;
            reach[backend.endpoint.address] = {.exit = plan::Reach::Exit::neigh, .ifindex = 7, .source = *IpAddress::parse(six ? "fd00::1" : "10.0.0.1"),
                                               .next_hop = backend.endpoint.address};
        }
        Maps maps;
        plan::State state;
        const auto desired = plan::desire(compiled.steering, reach, maps.observed(), state, 10);
        if (!desired.ok()) {
            return want(desired.error().code == Errc::limit, "no plan: " + desired.error().report());
        }
        for (const plan::Step& step : plan::diff(maps.observed(), *desired)) {
            std::visit(maps, step.what);
            want(!step.text().empty(), "a step without a text");
        }
        const auto still = plan::desire(compiled.steering, reach, maps.observed(), state, 20);
        want(still.ok() && plan::diff(maps.observed(), *still).empty(), "a plan that was carried out has steps left");
    }

    // ---- what is told
    void check(const std::vector<model::Diagnostic>& diagnostics) {
        for (const model::Diagnostic& diagnostic : diagnostics) {
            want(!diagnostic.text().empty() && !diagnostic.message.empty(), "a diagnostic without a message");
        }
    }
    void check_statuses(const model::Store& store, const compile::Compiled& compiled, const std::vector<model::Value>& documents) {
        status::Book book;
        book.want(wanted_of(compiled));
        want(book.update(status::Phase::taken, {}, 1'700'000'000), "nothing is published");
        want(!book.update(status::Phase::taken, {}, 1'700'000'100), "statuses change by themselves");
        book.want(wanted_of(compiled));
        want(!book.update(status::Phase::taken, {}, 1'700'000'200), "statuses change without a change");
        std::size_t at = 0;
        for (const auto& [key, status] : compiled.statuses) {
            const auto object = store.get(key);
            want(object != nullptr && object->meta.generation == status->generation, key.text() + ": observes another generation");
            const auto* published = book.published().get(name_of(key));
            if (published == nullptr) {
                want(false, key.text() + ": is not published");
                continue;
            }
            const json ours = json::parse(**published);
            check_form(key.text(), ours, status->generation);
            const json theirs = documents.empty() ? json() : json::parse(model::to_json_text(documents[at++ % documents.size()]));
            for (const json& server : {json(), ours, theirs, theirs.is_object() && theirs.contains("status") ? theirs["status"] : json(1)}) {
                const json once = status::merged(server, ours, options_.controller_name, "2023-11-14T22:13:20Z");
                want(!once.dump().empty() && status::merged(once, ours, options_.controller_name, "2023-11-14T23:13:20Z") == once, key.text() + ": is written again and again");
            }
            want(status::merged(json(), ours, options_.controller_name, "2023-11-14T22:13:20Z") == ours, key.text() + ": is written otherwise than published");
        }
    }
    static std::string name_of(const model::ObjectKey& key) { return std::string(model::kind_name(key.kind)) + "/" + key.ns + "/" + key.name; }
    [[nodiscard]] std::vector<status::Wanted> wanted_of(const compile::Compiled& compiled) const {
        std::vector<status::Wanted> wanted;
        for (const auto& [key, status] : compiled.statuses) {
            wanted.push_back({name_of(key), status->generation, [status = status, this] { return compile::to_json(*status, options_.controller_name); }});
        }
        return wanted;
    }
    // As the CRDs want it; what only they keep in bounds (names, how many listeners) is not looked at.
    void check_form(const std::string& whose, const json& status, std::int64_t generation) {
        static const std::regex kReason("[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?");
        static const std::regex kType("([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])");
        want(!status.contains("ancestors") || status["ancestors"].size() <= 16, whose + ": more than 16 ancestors");
        status::for_each_conditions(status, "default", [&](const std::string& where, const json& conditions) {
            const std::string place = whose + " " + where;
            want(!conditions.empty() && conditions.size() <= 8, place + ": " + std::to_string(conditions.size()) + " conditions");
            std::string before;
            for (const json& one : conditions) {
                const auto type = one["type"].get<std::string>();
                want(before < type, place + ": " + type + " is twice or out of order");
                want(type.size() <= 316 && std::regex_match(type, kType), place + ": " + type + " is no type");
                want(std::regex_match(one["reason"].get<std::string>(), kReason), place + ": " + type + " has a bad reason");
                want(one["status"] == "True" || one["status"] == "False", place + ": " + type + " has no status");
                want(one["message"].get<std::string>().size() <= 32768, place + ": " + type + " says too much");
                want(one["observedGeneration"] == generation, place + ": " + type + " observes another generation");
                want(one["lastTransitionTime"].is_string(), place + ": " + type + " has no time");
                before = type;
            }
        });
    }

    // ---- what people see
    void check_gwctl(const model::Store& store, const compile::Compiled& compiled) {
        Scene scene;
        scene.store = store;
        scene.now_s = 1'700'000'000;
        for (const auto& [key, status] : compiled.statuses) {
            scene.statuses[key] = compile::to_json(*status, options_.controller_name);
        }
        for (const Finding& finding : analyze(scene)) {
            want(!finding.message.empty() && !finding.code.empty(), "a finding without a message");
        }
        for (const auto& [key, object] : store) {
            check(compile::dangling(*object, store));
        }
    }

    compile::Options options_;
    model::Store beside_;
    compile::Compiled alone_;
    Faults faults_;
};

}  // namespace penstock::gwctl::testing
