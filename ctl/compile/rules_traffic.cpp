// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/rules_traffic.hpp"

#include <algorithm>

#include "ctl/model/formats.hpp"
#include "schema/part_name.hpp"
#include "userspace/base/ascii.hpp"

namespace penstock::compile {
namespace {

constexpr std::size_t kNameDigits = 16;

std::unique_ptr<fb::RetryT> retry_of(const model::HttpRetry& retry) {
    auto out = std::make_unique<fb::RetryT>();
    for (const std::int32_t code : retry.codes) {
        out->codes.push_back(static_cast<std::uint16_t>(code));
    }
    out->attempts = static_cast<std::uint32_t>(retry.attempts);
    out->backoff_ms = retry.backoff_ms.value_or(0);
    return out;
}

// Whole seconds, as cookies tell them; a part of one counts as one, since 0 switches off.
std::uint32_t seconds_of(const std::optional<std::uint32_t>& ms) {
    return ms ? *ms / 1000 + (*ms % 1000 != 0 ? 1 : 0) : 0;
}

std::unique_ptr<fb::PersistenceT> persistence_of(const model::SessionPersistence& persistence, const std::string& identity) {
    auto out = std::make_unique<fb::PersistenceT>();
    if (persistence.type == "Header") {
        out->type = fb::PersistenceType::Header;
        out->name = lower(persistence.header_name.empty() ? persistence.session_name : persistence.header_name);
    } else {
        const model::SessionCookie cookie = persistence.cookie.value_or(model::SessionCookie{});
        const std::string& given = cookie.name.empty() ? persistence.session_name : cookie.name;
        out->name = given.empty() ? "penstock-" + fb::hex(digest_of(identity)).substr(0, kNameDigits) : given;
        out->permanent = cookie.lifetime_type == "Permanent";
        out->path = cookie.path;
    }
    out->absolute_timeout_s = seconds_of(persistence.absolute_timeout_ms);
    out->idle_timeout_s = seconds_of(persistence.idle_timeout_ms);
    return out;
}

// What API servers let pass: that of v1.6 any name, a header without one, a cookie beside it; all of them any path of a cookie.
std::string fault_of(const model::SessionPersistence& persistence) {
    const bool is_header = persistence.type == "Header";
    if (is_header && persistence.cookie) {
        return "cookie: must not be set with type Header";
    }
    const model::SessionCookie cookie = persistence.cookie.value_or(model::SessionCookie{});
    const std::string& own = is_header ? persistence.header_name : cookie.name;
    const std::string& name = own.empty() ? persistence.session_name : own;
    if (is_header && name.empty()) {
        return "header: must be set with type Header";
    }
    if (!name.empty() && !model::is_token(name)) {
        return "sessionName: \"" + name + "\" is not a name of a cookie or header";
    }
    // What would end the attribute, or begin another, is none.
    const bool is_path = cookie.path.starts_with('/') && std::all_of(cookie.path.begin(), cookie.path.end(), [](char c) { return c > ' ' && c < 127 && c != ';'; });
    return is_path ? "" : "cookie.path: \"" + cookie.path + "\" is not a path of a cookie";
}

template <class Rule>
void set_persistence(fb::RuleT& out, const Rule& rule, const std::string& identity, const std::string& at, std::optional<Condition>& fault) {
    if (!rule.session_persistence) {
        return;
    }
    if (const std::string what = fault_of(*rule.session_persistence); !what.empty()) {
        add_fault(fault, Condition{ConditionReason::RouteAccepted_unsupported_value, at + ".sessionPersistence." + what});
    } else {
        out.persistence = persistence_of(*rule.session_persistence, identity);
    }
}

}  // namespace

void set_traffic(fb::RuleT& out, const model::HttpRule& rule, const std::string& identity, const std::string& at, std::optional<Condition>& fault) {
    out.request_ms = rule.timeouts.request_ms.value_or(0);
    out.backend_request_ms = rule.timeouts.backend_request_ms.value_or(0);
    if (rule.retry) {
        out.retry = retry_of(*rule.retry);
    }
    set_persistence(out, rule, identity, at, fault);
}

void set_traffic(fb::RuleT& out, const model::GrpcRule& rule, const std::string& identity, const std::string& at, std::optional<Condition>& fault) {
    set_persistence(out, rule, identity, at, fault);
}

}  // namespace penstock::compile
