// SPDX-License-Identifier: Apache-2.0
// Rules of TLSRoutes, TCPRoutes and UDPRoutes: the first rule's backends serve.
#include "ctl/compile/rules.hpp"
#include "ctl/compile/rules_build.hpp"

namespace penstock::compile {
namespace {

template <class Route>
RouteRules compile_l4(const Typed<Route>& route, const char* kind, Transport transport, const Backends& backends, IdTaker& ids) {
    RouteRules out;
    const Asker asker{kind, route.ns(), transport, false, false};
    for (std::size_t i = 0; i < route.spec->rules.size(); ++i) {
        const auto& rule = route.spec->rules[i];
        auto built = new_rule(*route.object, kind, i, rule.name, ids, out);
        for (const auto& ref : rule.backend_refs) {
            built->backends.push_back(weighted(asker, ref, backends, out));
        }
        out.rules.push_back(std::move(built));
    }
    if (out.rules.size() > 1) {
        out.remark = "spec.rules beyond the first";
    }
    return out;
}

}  // namespace

RouteRules compile_rules(const Typed<model::TlsRoute>& route, const Backends& backends, IdTaker& ids) {
    return compile_l4(route, "TLSRoute", Transport::tcp, backends, ids);
}

RouteRules compile_rules(const Typed<model::TcpRoute>& route, const Backends& backends, IdTaker& ids) {
    return compile_l4(route, "TCPRoute", Transport::tcp, backends, ids);
}

RouteRules compile_rules(const Typed<model::UdpRoute>& route, const Backends& backends, IdTaker& ids) {
    return compile_l4(route, "UDPRoute", Transport::udp, backends, ids);
}

}  // namespace penstock::compile
