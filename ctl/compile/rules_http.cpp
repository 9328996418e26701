// SPDX-License-Identifier: Apache-2.0
// Rules of HTTPRoutes and GRPCRoutes.
#include <set>

#include "ctl/check/expression.hpp"
#include "ctl/compile/filters.hpp"
#include "ctl/compile/rules.hpp"
#include "ctl/compile/rules_build.hpp"
#include "ctl/compile/rules_traffic.hpp"
#include "userspace/base/ascii.hpp"

namespace penstock::compile {
namespace {

std::string index_text(const std::string& base, std::size_t index) { return base + "[" + std::to_string(index) + "]"; }

// RE2 decides once here; the worker may trust what it gets.
bool is_expression(const std::string& pattern, const std::string& at, std::optional<Condition>& fault) {
    const Status status = check::check_expression(pattern);
    if (!status.ok()) {
        add_fault(fault, Condition{ConditionReason::RouteAccepted_unsupported_value, at + ": " + status.error().what});
    }
    return status.ok();
}

// Equal names in one match: only the first counts.
std::vector<std::unique_ptr<fb::NamedMatchT>> named_matches(const std::vector<model::ValueMatch>& wanted, bool fold_case, const std::string& at,
                                                            std::optional<Condition>& fault) {
    std::vector<std::unique_ptr<fb::NamedMatchT>> out;
    std::set<std::string> names;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        std::string name = fold_case ? lower(wanted[i].name) : wanted[i].name;
        if (!names.insert(name).second) {
            continue;
        }
        auto match = std::make_unique<fb::NamedMatchT>();
        match->name = std::move(name);
        match->value = wanted[i].value;
        if (wanted[i].type == "RegularExpression") {
            match->match = fb::ValueMatch::Regex;
            is_expression(wanted[i].value, index_text(at, i) + ".value", fault);
        }
        out.push_back(std::move(match));
    }
    return out;
}

std::string without_trailing_slash(std::string path) {
    while (path.size() > 1 && path.back() == '/') {
        path.pop_back();
    }
    return path;
}

void set_path(RankedMatch& out, const model::HttpPathMatch& path, const std::string& at, std::optional<Condition>& fault) {
    out.match.path = path.value;
    out.rank.path_chars = static_cast<std::uint32_t>(path.value.size());
    if (path.type == "Exact") {
        out.match.path_match = fb::PathMatch::Exact;
        out.rank.path_class = 0;
    } else if (path.type == "RegularExpression") {
        out.match.path_match = fb::PathMatch::Regex;
        out.rank.path_class = 1;
        is_expression(path.value, at + ".path.value", fault);
    } else {
        out.match.path_match = fb::PathMatch::Prefix;
        out.match.path = without_trailing_slash(path.value);
        out.rank.path_chars = static_cast<std::uint32_t>(out.match.path.size());
    }
}

RankedMatch match_of(const model::HttpMatch& wanted, const std::string& at, std::optional<Condition>& fault) {
    RankedMatch out;
    set_path(out, wanted.path, at, fault);
    out.match.method = wanted.method.value_or("");
    out.match.headers = named_matches(wanted.headers, true, at + ".headers", fault);
    out.match.query = named_matches(wanted.query_params, false, at + ".queryParams", fault);
    out.rank.any_method = !wanted.method.has_value();
    out.rank.headers = static_cast<std::uint32_t>(out.match.headers.size());
    out.rank.queries = static_cast<std::uint32_t>(out.match.query.size());
    return out;
}

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (std::string_view(".+*?()|[]{}^$\\").find(c) != std::string_view::npos) {
            out.push_back('\\');
        }
        out.push_back(c);
    }
    return out;
}

// A gRPC call is POST /service/method.
void set_grpc_method(RankedMatch& out, const model::GrpcMethodMatch& method, const std::string& at, std::optional<Condition>& fault) {
    const std::string service = method.service.value_or("");
    const std::string name = method.method.value_or("");
    out.rank.path_chars = static_cast<std::uint32_t>(service.size());
    out.rank.method_chars = static_cast<std::uint32_t>(name.size());
    constexpr const char* kAny = "[^/]+";
    if (method.type == "RegularExpression") {
        out.match.path_match = fb::PathMatch::Regex;
        out.match.path = "/(?:" + (service.empty() ? kAny : service) + ")/(?:" + (name.empty() ? kAny : name) + ")";
        out.rank.path_class = 1;
        is_expression(out.match.path, at + ".method", fault);
    } else if (!service.empty() && !name.empty()) {
        out.match.path_match = fb::PathMatch::Exact;
        out.match.path = "/" + service + "/" + name;
        out.rank.path_class = 0;
    } else if (!service.empty()) {
        out.match.path = "/" + service;
    } else {
        out.match.path_match = fb::PathMatch::Regex;
        out.match.path = std::string("/") + kAny + "/" + escaped(name);
    }
}

RankedMatch match_of(const model::GrpcMatch& wanted, const std::string& at, std::optional<Condition>& fault) {
    RankedMatch out;
    out.match.path = "/";
    if (wanted.method && (wanted.method->service || wanted.method->method)) {
        set_grpc_method(out, *wanted.method, at, fault);
    }
    out.match.headers = named_matches(wanted.headers, true, at + ".headers", fault);
    out.rank.headers = static_cast<std::uint32_t>(out.match.headers.size());
    return out;
}

// No matches in a rule: one that takes everything. A match that cannot be told to the worker is left out.
template <class Match>
void add_matches(const std::vector<Match>& matches, std::uint32_t rule, const std::string& at, RouteRules& out, std::optional<Condition>& fault) {
    for (std::size_t i = 0; i < matches.size() || i == 0; ++i) {
        const Match everything{};
        std::optional<Condition> bad;
        RankedMatch match = match_of(matches.empty() ? everything : matches[i], index_text(at + ".matches", i), bad);
        if (bad) {
            add_fault(fault, std::move(*bad));
            continue;
        }
        match.match.rule = rule;
        out.matches.push_back(std::move(match));
    }
}

template <class Route>
RouteRules compile_http(const Typed<Route>& route, const char* kind, bool grpc, const Backends& backends, IdTaker& ids) {
    RouteRules out;
    RuleFaults faults;
    const Asker asker{kind, route.ns(), Transport::tcp, true, grpc};
    for (std::size_t i = 0; i < route.spec->rules.size(); ++i) {
        const auto& rule = route.spec->rules[i];
        const std::string at = index_text("spec.rules", i);
        std::optional<Condition> fault;
        auto built = new_rule(*route.object, kind, i, rule.name, ids, out);
        built->grpc = grpc;
        const FilterContext context{asker, backends, out};
        FiltersResult filters = compile_filters(rule.filters, FilterPlace::rule, at + ".filters", context);
        built->filters = std::move(filters.filters);
        fault = std::move(filters.fault);
        set_traffic(*built, rule, out.ids.back(), at, fault);
        for (std::size_t b = 0; b < rule.backend_refs.size(); ++b) {
            auto backend = weighted(asker, rule.backend_refs[b], backends, out);
            FiltersResult own = compile_filters(rule.backend_refs[b].filters, FilterPlace::backend,
                                                index_text(at + ".backendRefs", b) + ".filters", context);
            backend->filters = std::move(own.filters);
            if (own.fault) {
                add_fault(fault, std::move(*own.fault));
            }
            complete_rewrite(built->filters.get(), backend->filters.get());
            built->backends.push_back(std::move(backend));
        }
        add_matches(rule.matches, static_cast<std::uint32_t>(i), at, out, fault);
        finish_rule(*built, fault, faults);
        out.rules.push_back(std::move(built));
    }
    finish_route(out, faults);
    return out;
}

}  // namespace

RouteRules compile_rules(const Typed<model::HttpRoute>& route, const Backends& backends, IdTaker& ids) {
    return compile_http(route, "HTTPRoute", false, backends, ids);
}

RouteRules compile_rules(const Typed<model::GrpcRoute>& route, const Backends& backends, IdTaker& ids) {
    return compile_http(route, "GRPCRoute", true, backends, ids);
}

}  // namespace penstock::compile
