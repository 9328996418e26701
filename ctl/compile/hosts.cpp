// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/hosts.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "schema/part_name.hpp"

namespace penstock::compile {
namespace {

bool member_before(const HostMember& one, const HostMember& other) {
    if (one.own != other.own) {
        return more_specific(one.own, other.own);
    }
    return older(*one.route->object, *other.route->object);
}

// One match with what decides its place beyond its rank: the member (own name, age, name) and its place in the route.
struct Candidate {
    std::size_t member;
    const RankedMatch* match;
};

std::vector<Candidate> sorted_matches(const Host& host) {
    std::vector<Candidate> all;
    for (std::size_t i = 0; i < host.members.size(); ++i) {
        for (const RankedMatch& match : host.members[i].route->rules.matches) {
            all.push_back({i, &match});
        }
    }
    // Members stand in order and matches in the route's: a stable sort settles all ties.
    std::stable_sort(all.begin(), all.end(), [&](const Candidate& one, const Candidate& other) {
        const std::string& mine = host.members[one.member].own;
        const std::string& theirs = host.members[other.member].own;
        if (mine != theirs) {
            return more_specific(mine, theirs);
        }
        return one.match->rank.before(other.match->rank);
    });
    return all;
}

using Builder = flatbuffers::FlatBufferBuilder;

flatbuffers::Offset<fb::Match> pack(Builder& builder, const fb::MatchT& match, std::uint32_t rule, std::uint32_t own) {
    const auto named = [&](const auto& list) {
        std::vector<flatbuffers::Offset<fb::NamedMatch>> out;
        for (const auto& entry : list) {
            out.push_back(fb::CreateNamedMatch(builder, entry.get()));
        }
        return out.empty() ? flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<fb::NamedMatch>>>() : builder.CreateVector(out);
    };
    const auto path = builder.CreateString(match.path);
    const auto method = match.method.empty() ? flatbuffers::Offset<flatbuffers::String>() : builder.CreateString(match.method);
    const auto headers = named(match.headers);
    const auto query = named(match.query);
    return fb::CreateMatch(builder, match.path_match, path, method, headers, query, rule, own);
}

// Puts what the listener gets at in place of the key of a set; "" if it must not get at it.
void aim(std::string& key, const CompiledRoute& route, const Listener& listener, const HostContext& context) {
    if (!key.empty()) {
        const auto served = context.policies.on(route.rules.sets.at(key), listener, context.front);
        key = served ? served->key : std::string();
    }
}

bool needs_aim(const fb::RuleT& rule, const CompiledRoute& route, const Listener& listener, const HostContext& context) {
    const auto differs = [&](std::string key) {
        const std::string before = key;
        aim(key, route, listener, context);
        return key != before;
    };
    const auto& filters = rule.filters;
    return std::any_of(rule.backends.begin(), rule.backends.end(), [&](const auto& backend) { return differs(backend->backends); }) ||
           (filters && std::any_of(filters->mirrors.begin(), filters->mirrors.end(), [&](const auto& mirror) { return differs(mirror->backends); }));
}

// Rules are packed from where they are, as a route with a hundred host names would be copied a hundred times; but where TLS to backends
// depends on the listener, a copy tells which set is meant.
flatbuffers::Offset<fb::Rule> pack(Builder& builder, const fb::RuleT& rule, const CompiledRoute& route, const Listener& listener,
                                   const HostContext& context) {
    if (context.policies.none() || !needs_aim(rule, route, listener, context)) {
        return fb::CreateRule(builder, &rule);
    }
    fb::RuleT aimed = rule;
    for (const auto& backend : aimed.backends) {
        aim(backend->backends, route, listener, context);
    }
    if (aimed.filters) {
        auto& mirrors = aimed.filters->mirrors;
        std::for_each(mirrors.begin(), mirrors.end(), [&](const auto& mirror) { aim(mirror->backends, route, listener, context); });
        std::erase_if(mirrors, [](const auto& mirror) { return mirror->backends.empty(); });
    }
    return fb::CreateRule(builder, &aimed);
}

std::string pack_http(const Host& host, const Listener& listener, const HostContext& context) {
    Builder builder(1024);
    std::vector<flatbuffers::Offset<fb::Rule>> rules;
    std::vector<std::size_t> first_rule;  // of each member
    for (const HostMember& member : host.members) {
        first_rule.push_back(rules.size());
        for (const auto& rule : member.route->rules.rules) {
            rules.push_back(pack(builder, *rule, *member.route, listener, context));
        }
    }
    std::vector<flatbuffers::Offset<fb::Match>> matches;
    const std::string* own = nullptr;  // of the match before
    std::uint32_t place = 0;
    for (const Candidate& candidate : sorted_matches(host)) {
        const std::string& name_in_route = host.members[candidate.member].own;
        place += own != nullptr && *own != name_in_route ? 1 : 0;
        own = &name_in_route;
        const auto rule = static_cast<std::uint32_t>(first_rule[candidate.member]) + candidate.match->match.rule;
        matches.push_back(pack(builder, candidate.match->match, rule, place));
    }
    const auto name = builder.CreateString(host.hostname);
    const auto match_list = builder.CreateVector(matches);
    const auto rule_list = builder.CreateVector(rules);
    builder.Finish(fb::CreateHostRoutes(builder, name, match_list, rule_list));
    return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
}

// Without a route one rule without backends stands in: the worker closes the connection.
std::string pack_l4(const Host& host, const Listener& listener, const HostContext& context) {
    Builder builder(512);
    std::vector<flatbuffers::Offset<fb::Rule>> rules;
    const CompiledRoute* route = winner(host);
    if (route != nullptr && !route->rules.rules.empty()) {
        rules.push_back(pack(builder, *route->rules.rules.front(), *route, listener, context));
    } else {
        fb::RuleT none;
        none.object = std::make_unique<fb::ObjectRefT>(ref_of(route != nullptr ? *route->object : *listener.owner));
        rules.push_back(fb::CreateRule(builder, &none));
    }
    const auto name = builder.CreateString(host.hostname);
    const auto match_list = builder.CreateVector(std::vector<flatbuffers::Offset<fb::Match>>());
    const auto rule_list = builder.CreateVector(rules);
    builder.Finish(fb::CreateHostRoutes(builder, name, match_list, rule_list));
    return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
}

// One host as it is being edited.
struct Draft {
    HostPtr before;                   // null: there was none
    std::vector<HostMember> members;  // those that stay, in order, then the added
    std::size_t stay = 0;
    std::vector<CompiledRoutePtr> gone;  // one for each member that does not stay
    std::vector<CompiledRoutePtr> came;  // of the added

    // All at once: a host of thousands of routes can lose them together.
    void part_with_gone() {
        std::set<CompiledRoutePtr> routes(gone.begin(), gone.end());
        std::erase_if(members, [&](const HostMember& member) { return routes.contains(member.route); });
        stay = members.size();
    }
};

class HostEditor {
public:
    HostEditor(const HostContext& context, Hosts& hosts, Backends& backends, Parts& parts, const Parts* previous)
        : context_(context), hosts_(hosts), backends_(backends), parts_(parts), previous_(previous) {}

    void run(const std::vector<RouteEdit>& edits) {
        for (const RouteEdit& edit : edits) {
            if (edit.before) {
                remove(edit.before);
            }
        }
        for (std::size_t i = 0; i < hosts_.size(); ++i) {
            if (must_have_host(context_.front.listeners[i]) && hosts_[i].empty()) {
                draft(i, "");
            }
        }
        for (auto& [place, draft] : drafts_) {
            draft.part_with_gone();
        }
        for (const RouteEdit& edit : edits) {
            if (edit.after) {
                add(edit.after);
            }
        }
        for (auto& [place, draft] : drafts_) {
            finish(place.first, place.second, draft);
        }
    }

private:
    static bool must_have_host(const Listener& listener) {
        return listener.served() && (listener.mode == fb::ListenerMode::Tcp || listener.mode == fb::ListenerMode::Udp);
    }

    Draft& draft(std::size_t listener, const std::string& hostname) {
        const auto [place, added] = drafts_.try_emplace({listener, hostname});
        if (added) {
            const HostPtr* before = hosts_[listener].get(hostname);
            if (before != nullptr) {
                place->second.before = *before;
                place->second.members = (*before)->members;
                place->second.stay = place->second.members.size();
            }
        }
        return place->second;
    }

    void remove(const CompiledRoutePtr& route) {
        for (const Attachment& attachment : route->attachments) {
            for (const ServedHost& served : attachment.hosts) {
                draft(attachment.listener, served.host).gone.push_back(route);
            }
        }
    }

    void add(const CompiledRoutePtr& route) {
        for (const Attachment& attachment : route->attachments) {
            for (const ServedHost& served : attachment.hosts) {
                Draft& host = draft(attachment.listener, served.host);
                host.members.push_back({route, served.own});
                host.came.push_back(route);
            }
        }
    }

    HostSets sets_after(const Listener& listener, const Draft& draft, const Host& now) {
        HostSetsEdit edit(listener, context_);
        if (!listener.speaks_http()) {  // one route serves
            const CompiledRoute* before = draft.before ? winner(*draft.before) : nullptr;
            const CompiledRoute* after = winner(now);
            if (before != after && before != nullptr) {
                edit.goes(*before);
            }
            if (before != after && after != nullptr) {
                edit.comes(*after);
            }
        } else {
            std::for_each(draft.gone.begin(), draft.gone.end(), [&](const CompiledRoutePtr& route) { edit.goes(*route); });
            std::for_each(draft.came.begin(), draft.came.end(), [&](const CompiledRoutePtr& route) { edit.comes(*route); });
        }
        static const HostSets kNone;
        return edit.apply(draft.before ? draft.before->sets : kNone, backends_);
    }

    void finish(std::size_t index, const std::string& hostname, Draft& draft) {
        const Listener& listener = context_.front.listeners[index];
        auto host = std::make_shared<Host>();
        host->hostname = hostname;
        host->members = std::move(draft.members);
        const auto added = host->members.begin() + static_cast<std::ptrdiff_t>(draft.stay);
        std::sort(added, host->members.end(), member_before);
        std::inplace_merge(host->members.begin(), added, host->members.end(), member_before);

        if (listener.served()) {
            host->sets = sets_after(listener, draft, *host);
        }
        const std::string key = fb::host_key(listener.name, hostname);
        if (host->members.empty() && !must_have_host(listener)) {
            hosts_[index].erase(hostname);
            parts_.erase(fb::part_path(fb::PartKind::Host, key));
            return;
        }
        if (listener.served()) {
            std::string bytes = listener.speaks_http() ? pack_http(*host, listener, context_) : pack_l4(*host, listener, context_);
            host->part = make_part_of(fb::PartKind::Host, key, ref_of(*listener.owner), std::move(bytes), previous_);
            if (!draft.before || draft.before->part != host->part) {
                parts_.set(fb::part_path(fb::PartKind::Host, key), host->part);
            }
        }
        hosts_[index].set(hostname, std::move(host));
    }

    const HostContext& context_;
    Hosts& hosts_;
    Backends& backends_;
    Parts& parts_;
    const Parts* previous_;
    std::map<std::pair<std::size_t, std::string>, Draft> drafts_;
};

}  // namespace

const CompiledRoute* winner(const Host& host) { return host.members.empty() ? nullptr : host.members.front().route.get(); }

void edit_hosts(const HostContext& context, const std::vector<RouteEdit>& edits, Hosts& hosts, Backends& backends, Parts& parts, const Parts* previous) {
    HostEditor(context, hosts, backends, parts, previous).run(edits);
}

}  // namespace penstock::compile
