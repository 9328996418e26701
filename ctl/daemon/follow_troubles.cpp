// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/follow_troubles.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace penstock::daemon {

namespace {

struct Group {
    std::string reason;  // without its numbers
    std::vector<const std::pair<const model::Kind, kubeapi::KindState>*> of;
};

std::string without_numbers(std::string text) {
    std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
    return text;
}

std::string kinds_of(const Group& group) {
    std::string out;
    for (const auto* one : group.of) {
        out += (out.empty() ? "" : ", ") + std::string(model::kind_name(one->first));
    }
    return out;
}

}  // namespace

std::vector<Trouble> follow_troubles(const std::map<model::Kind, kubeapi::KindState>& states, const std::string& server) {
    std::vector<Group> groups;
    std::size_t followed = 0;
    for (const auto& state : states) {
        followed += state.second.missing ? 0 : 1;
        if (state.second.missing || state.second.trouble.empty()) {
            continue;
        }
        const std::string reason = without_numbers(state.second.reason);
        auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& one) { return one.reason == reason; });
        group = group == groups.end() ? groups.insert(group, Group{.reason = reason, .of = {}}) : group;
        group->of.push_back(&state);
    }
    const auto largest = std::max_element(groups.begin(), groups.end(), [](const Group& a, const Group& b) { return a.of.size() < b.of.size(); });
    std::vector<Trouble> out;
    for (auto group = groups.begin(); group != groups.end(); ++group) {
        const bool several = group->of.size() > 1;
        const std::string kinds = kinds_of(*group);
        const kubeapi::KindState& first = group->of.front()->second;
        Error error{.code = Errc::internal, .what = several ? first.reason : first.trouble, .hint = "what was known is served"};
        if (several && group == largest && group->of.size() < followed) {
            error = std::move(error).in(kinds);
        }
        out.push_back({.what = several && group == largest ? "follow " + server : fmt::format("follow {} of {}", kinds, server), .error = std::move(error), .failure = {}});
    }
    return out;
}

}  // namespace penstock::daemon
