// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/trace_tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "ctl/compile/dump_rules.hpp"
#include "ctl/gwctl/trace_match.hpp"
#include "schema/packed.hpp"
#include "schema/part_name.hpp"
#include "schema/reasons.hpp"
#include "schema/views.hpp"
#include "userspace/base/ip.hpp"
#include "userspace/match/host_index.hpp"
#include "userspace/match/origins.hpp"

namespace penstock::gwctl {

namespace {

using nlohmann::json;

template <class Table>
Result<const Table*> verified(std::string_view bytes) {
    flatbuffers::Verifier verifier(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), 64, 10'000'000);
    if (!verifier.VerifyBuffer<Table>(nullptr)) {
        return Error{.code = Errc::invalid, .what = "the tables are damaged, or of another version"};
    }
    return flatbuffers::GetRoot<Table>(bytes.data());
}

std::string endpoint_text(const fb::BackendEndpoint& endpoint) {
    const auto& bytes = *endpoint.address()->bytes();
    Endpoint out;
    std::copy(bytes.begin(), bytes.end(), out.address.bytes.begin());
    out.address.family = endpoint.address()->family() == 4 ? Family::v4 : Family::v6;
    out.port = endpoint.port();
    return out.text();
}

json refusal(Reason reason) { return {{"reason", info(reason).name}, {"status", info(reason).status}, {"text", info(reason).text}}; }

// A host that fits, its rules, and the match of it that takes the request.
struct Fit {
    std::string hostname;
    const fb::HostRoutes* part = nullptr;
    fb::HostRoutesT rules;
    std::optional<match::RouteTable::Found> found;
};

class Tracer {
public:
    Tracer(const TraceTables& tables, const fb::Root& root, const TraceRequest& request) : tables_(tables), root_(root), request_(request) {}

    Result<json> run() {
        json ports = json::array();
        for (const fb::Port* port : *root_.ports()) {
            const bool http = port->mode() == fb::PortMode::Http || port->mode() == fb::PortMode::Tls;
            if (http && port->port() == request_.port) {
                PST_TRY_ASSIGN(json traced, on_port(*port));
                traced["socket"] = port->socket()->str();
                ports.push_back(std::move(traced));
            }
        }
        return ports;
    }

private:
    template <class Table>
    Result<const Table*> part(fb::PartKind kind, const std::string& key) const {
        const auto found = tables_.parts.find(fb::part_path(kind, key));
        if (found == tables_.parts.end()) {
            return Error{.code = Errc::not_found, .what = "the tables lack " + fb::part_path(kind, key)};
        }
        return verified<Table>(found->second);
    }

    Result<json> on_port(const fb::Port& port) {
        if ((port.mode() == fb::PortMode::Tls) != request_.tls) {
            return json{{"answer", {{"text", request_.tls ? "the port speaks no TLS: ask with http://" : "the port speaks TLS only: ask with https://"}}}};
        }
        match::HostIndex<const fb::Listener*> index;
        for (const std::uint32_t number : *port.listeners()) {
            if (number < root_.listeners()->size()) {
                const fb::Listener* listener = root_.listeners()->Get(number);
                index.add(listener->hostname() != nullptr ? listener->hostname()->string_view() : std::string_view(), listener);
            }
        }
        const fb::Listener* const* listener = index.find(request_.host);
        if (listener == nullptr) {
            return json{{"answer", request_.tls ? refusal(Reason::tls_no_name) : refusal(Reason::no_host)}};
        }
        PST_TRY_ASSIGN(json out, on_listener(**listener));
        out["listener"] = (*listener)->name()->str();
        out["hostname"] = (*listener)->hostname() != nullptr ? (*listener)->hostname()->str() : "";
        return out;
    }

    Result<json> on_listener(const fb::Listener& listener) {
        const bool http = listener.mode() == fb::ListenerMode::Http || listener.mode() == fb::ListenerMode::Https;
        const bool terminates = listener.mode() == fb::ListenerMode::Https || listener.mode() == fb::ListenerMode::TlsTerminate;
        if (terminates && listener.certificates() == nullptr) {
            return json{{"answer", refusal(Reason::tls_no_certificate)}};
        }
        PST_TRY_ASSIGN(std::vector<Fit> fits, hosts_of(listener));
        if (fits.empty()) {
            return json{{"answer", http ? refusal(Reason::no_host) : refusal(Reason::tls_no_name)}};
        }
        if (!http && fits[0].rules.rules.empty()) {
            return json{{"answer", refusal(Reason::unresolved_backend)}};
        }
        if (!http) {
            json out = {{"decided_by", "the server name: the listener looks into no request"}};
            PST_TRY(add_rule(out, *fits[0].part->rules()->Get(0)));
            return out;
        }
        return on_hosts(fits);
    }

    Result<std::vector<Fit>> hosts_of(const fb::Listener& listener) {
        match::HostIndex<std::string> index;  // keys of Host parts
        const std::string prefix = fb::part_path(fb::PartKind::Host, listener.name()->string_view()) + "/";
        for (auto at = tables_.parts.lower_bound(prefix); at != tables_.parts.end() && at->first.starts_with(prefix); ++at) {
            const std::string key = at->first.substr(at->first.find('/') + 1);
            index.add(fb::host_place(key).hostname, key);
        }
        std::vector<Fit> fits;
        Status status = success();
        index.visit(request_.host, [&](const std::string& key) {
            auto host = part<fb::HostRoutes>(fb::PartKind::Host, key);
            if (!host.ok()) {
                status = host.error();
                return true;
            }
            Fit fit;
            fit.hostname = (*host)->hostname()->str();
            fit.part = *host;
            (*host)->UnPackTo(&fit.rules);
            fits.push_back(std::move(fit));
            return false;
        });
        PST_TRY(status);
        return fits;
    }

    Result<json> on_hosts(std::vector<Fit>& fits) {
        json out = {{"candidates", json::array()}};
        second_known_ = false;
        listed_.clear();
        PST_TRY_ASSIGN(const Fit* winner, find(fits, request_.matched()));
        std::string asked;
        if (winner == nullptr && match::is_preflight(request_.matched())) {
            PST_TRY_ASSIGN(winner, find_asked(fits));
            asked = winner != nullptr ? ": a preflight belongs to the rule of the method that it asks for" : "";
        }
        std::string decided = "it is the only one that holds";
        for (Fit& fit : fits) {
            PST_TRY(add_candidates(out["candidates"], fit, winner, decided));
        }
        if (winner == nullptr) {
            out["answer"] = refusal(Reason::no_route);
            return out;
        }
        out["decided_by"] = decided + asked;
        PST_TRY(add_rule(out, *winner->part->rules()->Get(winner->found->rule)));
        return out;
    }

    static Result<const Fit*> find(std::vector<Fit>& fits, const match::Request& request) {
        for (Fit& fit : fits) {
            PST_TRY_ASSIGN(const auto table, match::RouteTable::build(fb::Packed(fit.rules).bytes()));
            fit.found = table->find(request);
            if (fit.found) {
                fit.found->entry = nullptr;  // of the table, which goes
                return &fit;
            }
        }
        return nullptr;
    }

    Result<const Fit*> find_asked(std::vector<Fit>& fits) {
        std::string room;
        match::Request request = request_.matched();
        request.method = request_.fields.value("access-control-request-method", room).value_or("");
        PST_TRY_ASSIGN(const Fit* fit, find(fits, request));
        const fb::Filters* filters = fit == nullptr ? nullptr : fit->part->rules()->Get(fit->found->rule)->filters();
        return filters != nullptr && filters->cors() != nullptr ? fit : nullptr;
    }

    // Those whose path fits, in order; and by which step the winner came before the next that holds.
    Status add_candidates(json& list, const Fit& fit, const Fit* winner, std::string& decided) {
        for (std::uint32_t i = 0; i < fit.rules.matches.size(); ++i) {
            const fb::MatchT& match = *fit.rules.matches[i];
            if (match.rule >= fit.rules.rules.size()) {
                return Error{.code = Errc::invalid, .what = "a match names a rule that does not exist"};
            }
            PST_TRY_ASSIGN(const std::string failing, failing_condition(match, request_.matched()));
            const bool serves = &fit == winner && fit.found->match == i;
            if (failing == "path" && !serves) {
                continue;
            }
            const fb::Rule& rule = *fit.part->rules()->Get(match.rule);
            const std::string shown = fb::name_of(*rule.object()) + "#" + std::to_string(rule.index()) + " " + compile::match_text(*fit.part->matches()->Get(i));
            if (!listed_.insert(shown).second) {
                continue;  // its route has this host name and the more specific one
            }
            list.push_back({{"host", fit.hostname}, {"match", compile::match_text(*fit.part->matches()->Get(i))}, {"rule", fb::name_of(*rule.object()) + "#" + std::to_string(rule.index())},
                            {"fails", failing}, {"serves", serves}});
            const bool next = winner != nullptr && failing.empty() && !serves && !second_known_ && (&fit != winner || i > winner->found->match);
            if (next) {
                second_known_ = true;
                decided = &fit != winner ? "the more specific host name" : precedence_step(fit.rules, *fit.rules.matches[winner->found->match], match);
            }
        }
        return success();
    }

    Status add_rule(json& out, const fb::Rule& rule) {
        out["rule"] = {{"route", fb::name_of(*rule.object())}, {"index", rule.index()}, {"name", rule.name() != nullptr ? rule.name()->str() : ""}};
        out["filters"] = compile::filters_text(rule.filters());
        out["backends"] = json::array();
        if (rule.filters() != nullptr && rule.filters()->cors() != nullptr && match::is_preflight(request_.matched())) {
            out["answer"] = preflight_answer(*rule.filters()->cors());
            return success();
        }
        std::uint64_t total = 0;
        for (std::size_t i = 0; rule.backends() != nullptr && i < rule.backends()->size(); ++i) {
            total += rule.backends()->Get(static_cast<flatbuffers::uoffset_t>(i))->weight();
        }
        for (std::size_t i = 0; rule.backends() != nullptr && i < rule.backends()->size(); ++i) {
            const fb::WeightedBackend& backend = *rule.backends()->Get(static_cast<flatbuffers::uoffset_t>(i));
            PST_TRY_ASSIGN(json row, backend_row(backend, total));
            out["backends"].push_back(std::move(row));
        }
        const bool redirects = rule.filters() != nullptr && rule.filters()->redirect() != nullptr;
        if (redirects) {
            out["answer"] = {{"status", rule.filters()->redirect()->status()}, {"text", "redirected by the rule's filter"}};
        } else if (total == 0) {
            out["answer"] = refusal(Reason::unresolved_backend);
        }
        return success();
    }

    // Of the worker, which asks no backend.
    [[nodiscard]] json preflight_answer(const fb::Cors& filter) const {
        std::string room;
        const bool allowed = match::Origins(*filter.allow_origins()).allow(request_.fields.value("origin", room).value_or(""));
        return allowed ? json{{"status", 200}, {"text", "a preflight, answered by the rule's CORS filter"}} : refusal(Reason::cors_origin);
    }

    Result<json> backend_row(const fb::WeightedBackend& backend, std::uint64_t total) const {
        json row = {{"share", total == 0 ? 0.0 : static_cast<double>(backend.weight()) / static_cast<double>(total)}, {"filters", compile::filters_text(backend.filters())}};
        if (backend.backends() == nullptr) {
            row["answer"] = refusal(Reason::unresolved_backend);
            return row;
        }
        PST_TRY_ASSIGN(const fb::BackendSet* set, part<fb::BackendSet>(fb::PartKind::Backends, backend.backends()->str()));
        json endpoints = json::array();
        for (const fb::BackendEndpoint* endpoint : *set->endpoints()) {
            if (endpoint->state() == fb::EndpointState::Ready) {
                endpoints.push_back(endpoint_text(*endpoint));
            }
        }
        row["service"] = fb::name_of(*set->object()) + ":" + std::to_string(set->port());
        row["protocol"] = fb::EnumNameBackendProtocol(set->protocol()) + std::string(set->tls() != nullptr ? " over TLS" : "");
        if (endpoints.empty()) {
            row["answer"] = refusal(Reason::no_backend);
        }
        row["endpoints"] = std::move(endpoints);
        return row;
    }

    const TraceTables& tables_;
    const fb::Root& root_;
    const TraceRequest& request_;
    bool second_known_ = false;
    std::set<std::string> listed_;  // matches
};

}  // namespace

Result<json> trace(const TraceTables& tables, const TraceRequest& request) {
    json out = {{"request",
                 {{"method", request.method}, {"scheme", request.tls ? "https" : "http"}, {"host", request.host}, {"port", request.port}, {"path", request.path},
                  {"query", request.query}}},
                {"ports", json::array()}};
    if (!tables.root.empty()) {
        PST_TRY_ASSIGN(const fb::Root* root, verified<fb::Root>(tables.root));
        PST_TRY_ASSIGN(out["ports"], Tracer(tables, *root, request).run());
    }
    return out;
}

}  // namespace penstock::gwctl
