// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/asking.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "ctl/kubeapi/page_guard.hpp"
#include "ctl/kubeapi/url.hpp"
#include "ctl/model/text_at.hpp"
#include "ctl/model/value_text.hpp"

namespace penstock::kubeapi {

namespace {

using model::Value;

constexpr int kTriesMax = 5;
constexpr auto kRetryMost = milliseconds(10'000);  // a server that says more is asked again earlier, but not often
constexpr model::TextLimits kAnswerLimits = {.bytes_max = 512UL << 20, .nodes_max = 50'000'000};

bool come_again(const Answer& answer) { return (answer.status == 429 || answer.status == 503) && answer.retry_after.has_value(); }

Error no_answer(Error error, const Act& act) {
    if (error.code == Errc::timeout) {
        error.hint = "--request-timeout gives it longer";
    } else if (error.what.find("onnect") != std::string::npos) {  // "Failed to connect", "Couldn't connect"
        error.hint = "does the server run, and is its address in the kubeconfig, or after --server, the right one?";
    } else if (error.what.find("certificate") != std::string::npos) {
        error.hint = "is --certificate-authority, or that of the kubeconfig, the one of this server?";
    }
    return std::move(error).in(act.text());
}

Result<Value> content_of(const Answer& answer, const Act& act) {
    if (!answer.good()) {
        return refusal(answer, act);
    }
    auto parsed = model::parse_json(answer.body, kAnswerLimits);
    return parsed.ok() ? std::move(parsed) : Result<Value>(Error{.code = Errc::invalid, .what = act.text() + ": the answer is no JSON", .hint = "is this an API server?"});
}

// The served versions of a group, of the answer to its path.
std::string versions_of(const Value& api_group) {
    std::string out;
    if (const Value* versions = api_group.find("versions")) {
        for (const Value& one : versions->items()) {
            out += (out.empty() ? "" : ", ") + text_at(one, {"version"});
        }
    }
    return out;
}

Error not_served(const std::string& api_version, const std::string& kind, const std::string& served) {
    return Error{.code = Errc::not_found, .what = "the API server has no kind " + kind + " in " + api_version,
                 .hint = served.empty() ? "its CRD is not installed" : "of this group it serves the versions " + served + ": is its CRD installed, and as new as this?"};
}

}  // namespace

std::string resource_name(const Resource& resource) {
    const std::size_t slash = resource.api_version.find('/');
    return resource.plural + (slash == std::string::npos ? "" : "." + resource.api_version.substr(0, slash));
}

Error refusal(const Answer& answer, const Act& act) {
    Error error = answer.failure(act.text());
    if (answer.status == 401) {
        error.hint = "the API server does not know these credentials: a token may have expired, or belong to another cluster";
    } else if (answer.status == 403) {
        error.hint = "a Role or ClusterRole must allow the verb \"" + act.verb + "\" on \"" + act.what + "\" to this user";
    }
    return error;
}

Result<Answer> Asking::answer(Request request, const Act& act) {
    request.patience = patience_;
    for (int tries = 1;; ++tries) {
        auto answer = client_.call(request);
        if (!answer.ok()) {
            return no_answer(std::move(answer).error(), act);
        }
        if (!come_again(*answer) || tries == kTriesMax) {
            return answer;
        }
        std::this_thread::sleep_for(std::min(*answer->retry_after, kRetryMost));
    }
}

Result<Value> Asking::read(Request request, const Act& act) {
    PST_TRY_ASSIGN(const Answer got, answer(std::move(request), act));
    return content_of(got, act);
}

Result<Resources> Asking::discover() {
    Resources out = built_in_resources();
    const auto ask = [this](const std::string& path) { return read({.path = path}, {.verb = "get", .what = path, .where = {}}); };
    for (const std::string& group_path : discovered_groups()) {
        auto group = ask(group_path);
        if (!group.ok() && group.error().code == Errc::not_found) {
            continue;
        }
        PST_TRY(group);
        for (const std::string& version_path : version_paths(*group)) {
            PST_TRY_ASSIGN(const Value list, ask(version_path));
            add_resources(list, out);
        }
    }
    return out;
}

Result<Resource> Asking::resource(const std::string& api_version, const std::string& kind) {
    const std::string path = version_path(api_version);
    auto list = read({.path = path}, {.verb = "get", .what = path, .where = {}});
    if (!list.ok() && list.error().code != Errc::not_found) {
        return std::move(list).error();
    }
    if (const auto found = list.ok() ? resource_in(*list, kind) : std::nullopt) {
        return *found;
    }
    const std::string group_path = path.substr(0, path.rfind('/'));
    auto group = read({.path = group_path}, {.verb = "get", .what = group_path, .where = {}});
    return not_served(api_version, kind, group.ok() ? versions_of(*group) : "");
}

Result<std::vector<Value>> Asking::list(const Resource& resource, const std::optional<std::string>& ns, const std::string& selector, const std::string& fields) {
    const Act act{.verb = "list", .what = resource_name(resource), .where = !resource.namespaced ? "" : ns ? "in the namespace " + *ns : "in all namespaces"};
    const std::string path = (ns ? resource.collection_in(*ns) : resource.collection()) + "?limit=500" + (selector.empty() ? "" : "&labelSelector=" + url_encoded(selector)) +
                             (fields.empty() ? "" : "&fieldSelector=" + url_encoded(fields));
    std::vector<Value> out;
    PageGuard pages;
    do {
        PST_TRY_ASSIGN(const Answer got, answer({.path = path + (pages.next().empty() ? "" : "&continue=" + url_encoded(pages.next()))}, act));
        PST_TRY_ASSIGN(const Value page, content_of(got, act));
        if (const Value* items = page.find("items")) {
            for (const Value& item : items->items()) {  // a list says once what its items are
                out.push_back(item.with("apiVersion", Value::string(resource.api_version)).with("kind", Value::string(resource.kind)));
            }
        }
        if (auto taken = pages.page(got.body.size(), text_at(page, {"metadata", "continue"})); !taken.ok()) {
            return std::move(taken).error().in(act.text());
        }
    } while (!pages.next().empty());
    return out;
}

}  // namespace penstock::kubeapi
