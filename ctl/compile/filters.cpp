// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/filters.hpp"

#include "userspace/base/ascii.hpp"

namespace penstock::compile {
namespace {

using Pairs = std::vector<std::unique_ptr<fb::NameValueT>>;

Pairs pairs_of(const std::vector<model::HttpHeader>& headers) {
    Pairs out;
    for (const model::HttpHeader& header : headers) {
        auto pair = std::make_unique<fb::NameValueT>();
        pair->name = lower(header.name);
        pair->value = header.value;
        out.push_back(std::move(pair));
    }
    return out;
}

std::unique_ptr<fb::HeaderEditT> edit_of(const model::HeaderFilter& filter) {
    auto edit = std::make_unique<fb::HeaderEditT>();
    edit->set = pairs_of(filter.set);
    edit->add = pairs_of(filter.add);
    for (const std::string& name : filter.remove) {
        edit->remove.push_back(lower(name));
    }
    return edit;
}

template <class Target>
void set_path(Target& target, const std::optional<model::PathModifier>& path) {
    if (!path) {
        return;
    }
    const bool full = path->type == "ReplaceFullPath";
    target.path_edit = full ? fb::PathEdit::ReplaceFull : fb::PathEdit::ReplacePrefix;
    target.path = full ? path->replace_full_path : path->replace_prefix_match;
}

std::unique_ptr<fb::RedirectT> redirect_of(const model::RedirectFilter& filter) {
    auto redirect = std::make_unique<fb::RedirectT>();
    redirect->scheme = filter.scheme.value_or("");
    redirect->hostname = filter.hostname.value_or("");
    redirect->port = static_cast<std::uint16_t>(filter.port.value_or(0));
    redirect->status = static_cast<std::uint16_t>(filter.status_code);
    set_path(*redirect, filter.path);
    return redirect;
}

std::unique_ptr<fb::RewriteT> rewrite_of(const model::RewriteFilter& filter) {
    auto rewrite = std::make_unique<fb::RewriteT>();
    rewrite->hostname = filter.hostname.value_or("");
    set_path(*rewrite, filter.path);
    return rewrite;
}

void add_mirror(const model::MirrorFilter& filter, const FilterContext& context, fb::FiltersT& out) {
    auto mirror = std::make_unique<fb::MirrorT>();
    mirror->backends = resolve_into(context.asker, filter.backend_ref, context.backends, context.out);
    if (filter.percent) {
        mirror->numerator = static_cast<std::uint32_t>(*filter.percent);
        mirror->denominator = 100;
    } else if (filter.fraction) {
        mirror->numerator = static_cast<std::uint32_t>(filter.fraction->numerator);
        mirror->denominator = static_cast<std::uint32_t>(filter.fraction->denominator);
    }
    if (!mirror->backends.empty() && mirror->numerator != 0) {
        out.mirrors.push_back(std::move(mirror));
    }
}

std::unique_ptr<fb::CorsT> cors_of(const model::CorsFilter& filter) {
    auto cors = std::make_unique<fb::CorsT>();
    for (const std::string& origin : filter.allow_origins) {
        cors->allow_origins.push_back(lower(origin));  // schemes and hosts are compared without case
    }
    cors->allow_credentials = filter.allow_credentials;
    cors->allow_methods = filter.allow_methods;
    cors->allow_headers = filter.allow_headers;
    cors->expose_headers = filter.expose_headers;
    cors->max_age_s = static_cast<std::uint32_t>(filter.max_age_s);
    return cors;
}

// False: not one that we serve at this place.
bool add_filter(const model::HttpFilter& filter, FilterPlace place, const FilterContext& context, fb::FiltersT& out) {
    const bool of_rule = place == FilterPlace::rule;
    if (filter.request_header_modifier) {
        out.request_headers = edit_of(*filter.request_header_modifier);
    } else if (filter.response_header_modifier) {
        out.response_headers = edit_of(*filter.response_header_modifier);
    } else if (filter.url_rewrite) {
        out.rewrite = rewrite_of(*filter.url_rewrite);
    } else if (filter.request_redirect && of_rule) {
        out.redirect = redirect_of(*filter.request_redirect);
    } else if (filter.request_mirror && of_rule) {
        add_mirror(*filter.request_mirror, context, out);
    } else if (filter.cors && of_rule) {
        out.cors = cors_of(*filter.cors);
    } else {
        return false;
    }
    return true;
}

}  // namespace

FiltersResult compile_filters(const std::vector<model::HttpFilter>& filters, FilterPlace place, const std::string& at, const FilterContext& context) {
    FiltersResult result;
    if (filters.empty()) {
        return result;
    }
    result.filters = std::make_unique<fb::FiltersT>();
    for (std::size_t i = 0; i < filters.size(); ++i) {
        if (!add_filter(filters[i], place, context, *result.filters)) {
            add_fault(result.fault, Condition{ConditionReason::RouteAccepted_unsupported_value,
                                              at + "[" + std::to_string(i) + "]: a filter of type " + filters[i].type + " is not supported" +
                                                  (place == FilterPlace::backend ? " on a backendRef" : "")});
        }
    }
    return result;
}

void complete_rewrite(const fb::FiltersT* rule, fb::FiltersT* backend) {
    if (rule == nullptr || backend == nullptr || !rule->rewrite || !backend->rewrite) {
        return;
    }
    if (backend->rewrite->hostname.empty()) {
        backend->rewrite->hostname = rule->rewrite->hostname;
    }
    if (backend->rewrite->path_edit == fb::PathEdit::None) {
        backend->rewrite->path_edit = rule->rewrite->path_edit;
        backend->rewrite->path = rule->rewrite->path;
    }
}

}  // namespace penstock::compile
