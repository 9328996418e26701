// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/api.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace penstock::daemon {

namespace {

using nlohmann::json;
using std::chrono::milliseconds;

ApiReply reply(const json& body, int status = 200) {
    return {.status = status, .body = body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"};
}

ApiReply reply(Result<json> body) { return body.ok() ? reply(*body) : error_reply(body.error()); }

std::optional<std::string> query_of(const ApiRequest& request, const char* name) {
    const auto found = request.query.find(name);
    return found != request.query.end() ? std::optional(found->second) : std::nullopt;
}

Result<std::uint64_t> number_of(const ApiRequest& request, const char* name, std::uint64_t absent) {
    const auto text = query_of(request, name);
    if (!text) {
        return absent;
    }
    std::uint64_t value = 0;
    const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (failure != std::errc() || end != text->data() + text->size()) {
        return Error{.code = Errc::invalid, .what = fmt::format("{}={} is not a number", name, *text)};
    }
    return value;
}

milliseconds patience_of(std::uint64_t ms) { return std::min(milliseconds(std::min<std::uint64_t>(ms, 1U << 30)), kApiWaitMax); }

ApiReply get_version(ApiBackend& backend, const ApiRequest&) { return reply(backend.version()); }

ApiReply get_status(ApiBackend& backend, const ApiRequest&) { return reply(backend.status()); }

ApiReply get_generation(ApiBackend& backend, const ApiRequest& request) {
    const auto wait = number_of(request, "wait", 0);
    const auto timeout = number_of(request, "timeout_ms", 5000);
    if (!wait.ok() || !timeout.ok()) {
        return error_reply(wait.ok() ? timeout.error() : wait.error());
    }
    const bool reached = backend.board().wait_taken(*wait, patience_of(*timeout));
    const Generation now = backend.board().get();
    return reply({{"wanted", now.wanted}, {"applied", now.applied}, {"taken", now.taken}, {"reached", reached}});
}

ObjectFilter filter_of(const ApiRequest& request) {
    ObjectFilter filter;
    const auto [first, last] = request.query.equal_range("kind");
    for (auto it = first; it != last; ++it) {
        for (std::size_t at = 0; at <= it->second.size();) {
            const std::size_t end = std::min(it->second.find(',', at), it->second.size());
            filter.kinds.push_back(it->second.substr(at, end - at));
            at = end + 1;
        }
    }
    if (const auto ns = query_of(request, "namespace")) {
        filter.ns = *ns;
        filter.any_ns = false;
    }
    if (const auto name = query_of(request, "name")) {
        filter.name = *name;
        filter.any_name = false;
    }
    return filter;
}

ApiReply get_objects(ApiBackend& backend, const ApiRequest& request) {
    auto items = backend.objects(filter_of(request));
    if (!items.ok()) {
        return error_reply(items.error());
    }
    return reply({{"apiVersion", "v1"}, {"kind", "List"}, {"items", std::move(items).value()}});
}

ApiReply get_tables(ApiBackend& backend, const ApiRequest& request) {
    auto text = backend.tables();
    if (!text.ok()) {
        return error_reply(text.error());
    }
    if (query_of(request, "format") == "text") {
        return {.body = std::move(text).value(), .type = "text/plain"};
    }
    return reply({{"generation", backend.board().get().applied}, {"text", *text}});
}

ApiReply get_counters(ApiBackend& backend, const ApiRequest&) { return reply(backend.counters()); }

ApiReply get_snapshot(ApiBackend& backend, const ApiRequest&) { return reply(backend.snapshot()); }

// ---- changes ----------------------------------------------------------------------------------------------------------
Error wrong(const char* what) { return Error{.code = Errc::invalid, .what = what, .hint = "see docs/reference/control-api.md"}; }

Result<std::string> text_of(const json& object, const char* member) {
    if (!object.is_object() || !object.contains(member) || !object[member].is_string()) {
        return Error{.code = Errc::invalid, .what = fmt::format("the request lacks the text \"{}\"", member), .hint = "see docs/reference/control-api.md"};
    }
    return object[member].get<std::string>();
}

struct ChangeRequest {
    ApiChange change;
    milliseconds patience{0};
};

// The members that loads and deletes share.
Result<ChangeRequest> begin_change(const ApiRequest& request, const json& body) {
    if (!body.is_object()) {
        return wrong("the request is not a JSON object");
    }
    ChangeRequest out;
    out.change.peer = request.peer;
    for (const auto& [name, target] : {std::pair("dry_run", &out.change.dry_run), std::pair("replace", &out.change.replace)}) {
        if (body.contains(name)) {
            if (!body[name].is_boolean()) {
                return Error{.code = Errc::invalid, .what = fmt::format("\"{}\" is not true or false", name)};
            }
            *target = body[name].get<bool>();
        }
    }
    if (body.contains("wait_ms")) {
        if (!body["wait_ms"].is_number_unsigned()) {
            return wrong("\"wait_ms\" is not a number of milliseconds");
        }
        out.patience = patience_of(body["wait_ms"].get<std::uint64_t>());
    }
    return out;
}

Result<ChangeRequest> parse_load(const ApiRequest& request) {
    const json body = json::parse(request.body, nullptr, false);
    PST_TRY_ASSIGN(ChangeRequest out, begin_change(request, body));
    if (!body.contains("documents") || !body["documents"].is_array()) {
        return wrong("the request lacks the list \"documents\"");
    }
    for (const json& document : body["documents"]) {
        PST_TRY_ASSIGN(std::string name, text_of(document, "name"));
        PST_TRY_ASSIGN(std::string text, text_of(document, "text"));
        out.change.documents.push_back({std::move(name), std::move(text)});
    }
    return out;
}

Result<ChangeRequest> parse_delete(const ApiRequest& request) {
    const json body = json::parse(request.body, nullptr, false);
    PST_TRY_ASSIGN(ChangeRequest out, begin_change(request, body));
    out.change.replace = false;
    if (!body.contains("objects") || !body["objects"].is_array() || body["objects"].empty()) {
        return wrong("the request lacks the list \"objects\"");
    }
    for (const json& object : body["objects"]) {
        PST_TRY_ASSIGN(std::string kind, text_of(object, "kind"));
        PST_TRY_ASSIGN(std::string ns, text_of(object, "namespace"));
        PST_TRY_ASSIGN(std::string name, text_of(object, "name"));
        out.change.removals.push_back({std::move(kind), std::move(ns), std::move(name)});
    }
    return out;
}

ApiReply refusal(const ApiChanged& changed) {
    const auto errors = std::count_if(changed.diagnostics.begin(), changed.diagnostics.end(),
                                      [](const json& d) { return d.value("severity", "") == "error"; });
    ApiReply out = error_reply(422, Error{.code = Errc::invalid, .what = fmt::format("{} error{} in the manifests", errors, errors == 1 ? "" : "s"),
                                          .hint = "nothing was changed"});
    json body = json::parse(out.body);
    body["diagnostics"] = changed.diagnostics;
    return reply(body, 422);
}

ApiReply post_change(ApiBackend& backend, Result<ChangeRequest> parsed) {
    if (!parsed.ok()) {
        return error_reply(400, parsed.error());
    }
    auto changed = backend.change(parsed->change);
    if (!changed.ok()) {
        return error_reply(changed.error());
    }
    if (changed->refused) {
        return refusal(*changed);
    }
    json body = {{"generation", changed->generation}, {"dry_run", parsed->change.dry_run}, {"reached", false}, {"changed", changed->changed},
                 {"diagnostics", changed->diagnostics}, {"not_good", changed->not_good}, {"errors", json::array()}};
    if (!parsed->change.dry_run) {
        body["reached"] = backend.board().wait_taken(changed->generation, parsed->patience);
        auto not_good = backend.not_good();
        auto errors = backend.unsolved();
        if (!not_good.ok() || !errors.ok()) {
            return error_reply(not_good.ok() ? errors.error() : not_good.error());
        }
        body["not_good"] = std::move(not_good).value();
        body["errors"] = std::move(errors).value();
    }
    return reply(body);
}

ApiReply post_load(ApiBackend& backend, const ApiRequest& request) { return post_change(backend, parse_load(request)); }

ApiReply post_delete(ApiBackend& backend, const ApiRequest& request) { return post_change(backend, parse_delete(request)); }

struct Route {
    std::string_view method;
    std::string_view path;
    ApiReply (*serve)(ApiBackend&, const ApiRequest&);
};

constexpr std::array kRoutes = {
    Route{"GET", "/v1/version", get_version}, Route{"GET", "/v1/generation", get_generation}, Route{"GET", "/v1/status", get_status},
    Route{"GET", "/v1/objects", get_objects}, Route{"GET", "/v1/tables", get_tables},         Route{"GET", "/v1/counters", get_counters},
    Route{"GET", "/v1/snapshot", get_snapshot},
    Route{"POST", "/v1/load", post_load},     Route{"POST", "/v1/delete", post_delete},
};

}  // namespace

ApiReply serve_api(ApiBackend& backend, const ApiRequest& request) {
    const auto route = std::find_if(kRoutes.begin(), kRoutes.end(), [&](const Route& r) { return r.path == request.path; });
    if (route == kRoutes.end()) {
        return error_reply(Error{.code = Errc::not_found, .what = fmt::format("{} is not a path of this API", request.path),
                                 .hint = "see docs/reference/control-api.md"});
    }
    if (route->method != request.method) {
        return error_reply(400, Error{.code = Errc::invalid, .what = fmt::format("{} takes {}, not {}", request.path, route->method, request.method)});
    }
    return route->serve(backend, request);
}

}  // namespace penstock::daemon
