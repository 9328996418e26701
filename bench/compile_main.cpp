// SPDX-License-Identifier: Apache-2.0
// What a compilation costs: 5,000 HTTPRoutes, each with a Service of three endpoints, read from YAML, compiled whole, and after one edit.
// Once with a hostname for each route and once with all of them on one, as a host is what the worker gets as a whole.
#include <malloc.h>

#include <string>
#include <utility>
#include <vector>

#include "bench/native/report.hpp"
#include "bench/native/sample.hpp"
#include "ctl/compile/compile.hpp"
#include "ctl/model/decode.hpp"

using namespace penstock;
using namespace penstock::bench;

namespace {

constexpr int kRoutes = 5000;

std::string gateway_yaml() {
    return R"(apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: penstock}
spec: {controllerName: penstock.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  gatewayClassName: penstock
  addresses: [{type: IPAddress, value: 198.51.100.10}]
  listeners:
  - {name: http, protocol: HTTP, port: 80}
)";
}

std::string route_yaml(int number, bool one_host, const std::string& path) {
    const std::string n = std::to_string(number);
    return "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r" + n + "}\nspec:\n  parentRefs: [{name: edge}]\n  hostnames: [" +
           (one_host ? "shop" : "h" + n) + ".example.com]\n  rules:\n  - matches: [{path: {type: PathPrefix, value: " + path + n +
           "}}]\n    backendRefs: [{name: s" + n + ", port: 80}]\n";
}

std::string service_yaml(int number) {
    const std::string n = std::to_string(number);
    return "---\napiVersion: v1\nkind: Service\nmetadata: {name: s" + n + "}\nspec: {ports: [{name: http, port: 80}]}\n";
}

std::string slice_yaml(int number, int last) {
    const std::string n = std::to_string(number);
    const std::string net = "10." + std::to_string(number / 250 + 1) + "." + std::to_string(number % 250) + ".";
    return "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s" + n + "-1, labels: {kubernetes.io/service-name: s" + n +
           "}}\naddressType: IPv4\nports: [{name: http, port: 8080, protocol: TCP}]\nendpoints: [{addresses: [\"" + net + "1\"]}, {addresses: [\"" + net +
           "2\"]}, {addresses: [\"" + net + std::to_string(last) + "\"]}]\n";
}

std::string policy_yaml() {
    return R"(---
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: s0}
spec:
  targetRefs: [{group: "", kind: Service, name: s0}]
  validation: {hostname: s0.example.com, wellKnownCACertificates: System}
)";
}

std::string world_yaml(bool one_host) {
    std::string text = gateway_yaml();
    for (int i = 0; i < kRoutes; ++i) {
        text += route_yaml(i, one_host, "/p") + service_yaml(i) + slice_yaml(i, 3);
    }
    return text;
}

// As a source does: with the age and generation that an API server would have given.
void put_all(model::Store& store, const std::string& yaml, int generation = 1) {
    const model::ParseResult parsed = model::parse_manifests(yaml, "bench.yaml");
    for (const model::Diagnostic& diagnostic : parsed.diagnostics) {
        give_up({.code = Errc::internal, .what = diagnostic.text()});
    }
    for (const model::ObjectPtr& object : parsed.objects) {
        auto whole = std::make_shared<model::Object>(*object);
        whole->meta.generation = generation;
        whole->meta.creation_s = 1;
        store.put(std::move(whole));
    }
}

double heap_mib() {
    const struct mallinfo2 now = mallinfo2();
    return static_cast<double>(now.uordblks + now.hblkhd) / (1U << 20);
}

// The edits in turn, each compiled upon the compilation before.
void measure_edits(const std::string& name, bool one_host, model::Store store, compile::Compiled compiled, Table& times) {
    int edit = 0;
    const auto row = [&](const char* what, const auto& change) {
        std::vector<double> figures;
        for (int i = 0; i < 20; ++i) {
            change(++edit);
            compile::Compiled next;
            figures.push_back(milliseconds([&] { next = compile::compile(store, {}, &compiled); }));
            compiled = std::move(next);
        }
        times.add(name + ": " + what, {best(figures), median(figures)});
    };
    row("the same again", [](int) {});
    row("one route edited", [&](int n) { put_all(store, route_yaml(n, one_host, "/edited" + std::to_string(n) + "-"), n + 1); });
    row("one endpoint edited", [&](int n) { put_all(store, slice_yaml(n, 4 + n), n + 1); });
    row("one route added", [&](int n) { put_all(store, route_yaml(kRoutes + n, one_host, "/p") + service_yaml(kRoutes + n)); });
    put_all(store, policy_yaml());
    compiled = compile::compile(store, {}, &compiled);
    row("one route edited, beside a BackendTLSPolicy", [&](int n) { put_all(store, route_yaml(n, one_host, "/beside" + std::to_string(n) + "-"), n + 1); });
    row("the Gateway edited", [&](int n) {
        put_all(store, gateway_yaml() + "  - {name: more" + std::to_string(n) + ", protocol: HTTP, port: " + std::to_string(8000 + n) + "}\n", n + 1);
    });
}

void measure(bool one_host, Table& times, Table& sizes) {
    const std::string name = one_host ? "5,000 routes, one hostname" : "5,000 routes, 5,000 hostnames";
    const std::string yaml = world_yaml(one_host);
    const double before = heap_mib();
    model::Store store;
    const std::vector<double> reading = milliseconds(3, [&] { put_all(store, yaml); });
    times.add(name + ": read from YAML", {best(reading), median(reading)});
    const double with_store = heap_mib();
    compile::Compiled compiled;
    const std::vector<double> whole = milliseconds(5, [&] { compiled = compile::compile(store, {}); });
    times.add(name + ": compiled whole", {best(whole), median(whole)});
    const double with_compiled = heap_mib();
    std::size_t parts = compiled.snapshot.root->size();
    for (const auto& [path, part] : compiled.snapshot.parts) {
        parts += part->bytes->size();
    }
    sizes.add(name, {static_cast<double>(yaml.size()) / (1U << 20), with_store - before, with_compiled - with_store, static_cast<double>(parts) / (1U << 20)});
    measure_edits(name, one_host, std::move(store), std::move(compiled), times);
}

}  // namespace

int main() {
    Report report;
    Table& times = report.table("compile", {{"CPU ms, best", 2}, {"CPU ms, median", 2}});
    Table& sizes = report.table("MiB", {{"YAML", 1}, {"objects", 1}, {"compiled, all of it", 1}, {"of it snapshot", 1}});
    for (const bool one_host : {false, true}) {
        measure(one_host, times, sizes);
    }
    report.print();
    return 0;
}
