// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/routing.hpp"

namespace penstock::proxy {

namespace {

class HeadFields final : public match::Fields {
public:
    explicit HeadFields(const http::Headers& headers) : headers_(headers) {}
    std::optional<std::string_view> value(std::string_view name, std::string& room) const override { return headers_.joined(name, room); }

private:
    const http::Headers& headers_;
};

// The first rule in the order of the host names that fit.
bool find_rule(const Listener& listener, std::string_view host, const match::Request& request, Route& found) {
    bool has_host = false;
    listener.hosts.visit(host, [&](const std::shared_ptr<const Host>& candidate) {
        has_host = true;
        const auto match = candidate->table->find(request);
        if (!match) {
            return false;
        }
        found.host = candidate;
        found.rule = &candidate->rules[match->rule];
        found.match = match->entry;
        return true;
    });
    return has_host;
}

// A preflight that no rule takes belongs to the rule of the request that it asks for, if that one answers preflights.
void find_asked_rule(const Listener& listener, std::string_view host, match::Request request, const http::Headers& headers, Route& found) {
    request.method = headers.find("access-control-request-method").value_or("");
    Route asked;
    find_rule(listener, host, request, asked);
    if (asked.rule != nullptr && asked.rule->cors != nullptr) {
        found.host = std::move(asked.host);
        found.rule = asked.rule;
        found.match = asked.match;
    }
}

}  // namespace

Route find_route(const Tables& tables, const ClientFacts& client, const http::RequestHead& head, std::string_view path) {
    Route found;
    const auto port = tables.ports.find(client.socket);
    const match::HostName host(head.host);
    const Listener* const* listener = port == tables.ports.end() ? nullptr : port->second.listeners.find(host.name());
    if (listener == nullptr) {
        found.refusal = Reason::no_host;
        return found;
    }
    found.listener = *listener;
    // Gateway API, 5.4: a request whose host belongs to another listener than the one that its SNI chose is misdirected.
    if (!client.tls_listener.empty() && found.listener->name != client.tls_listener) {
        found.refusal = Reason::misdirected;
        return found;
    }
    const HeadFields fields(head.headers);
    const match::Request request{head.method, path, head.query, fields};
    const bool has_host = find_rule(*found.listener, host.name(), request, found);
    found.preflight = match::is_preflight(request);
    if (found.rule == nullptr && found.preflight) {
        find_asked_rule(*found.listener, host.name(), request, head.headers, found);
    }
    if (found.rule == nullptr) {
        found.refusal = has_host ? Reason::no_route : Reason::no_host;
    }
    return found;
}

}  // namespace penstock::proxy
