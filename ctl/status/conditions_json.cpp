// SPDX-License-Identifier: Apache-2.0
#include "ctl/status/conditions_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "ctl/compile/conditions.hpp"

namespace penstock::status {

namespace {

using nlohmann::json;

// The member of an element that says which one it is, by the list that it stands in.
struct List {
    const char* name;
    const char* key;
    const char* word;
};
constexpr std::array<List, 3> kLists = {{{"listeners", "name", "listener"}, {"parents", "parentRef", "parent"}, {"ancestors", "ancestorRef", "ancestor"}}};

const json* find_by(const json& list, const char* member, const json& value) {
    if (!list.is_array()) {
        return nullptr;
    }
    const auto found = std::find_if(list.begin(), list.end(), [&](const json& item) { return item.is_object() && item.contains(member) && item[member] == value; });
    return found != list.end() ? &*found : nullptr;
}

const json& member_of(const json* object, const char* name) {
    static const json kNothing;
    return object != nullptr && object->is_object() && object->contains(name) ? (*object)[name] : kNothing;
}

// Calls `visit` for every list of conditions with the list and the element that it belongs to; of the status itself there is no list.
template <class Visit>
void visit_lists(const json& status, const Visit& visit) {
    if (const json& own = member_of(&status, "conditions"); own.is_array()) {
        visit(static_cast<const List*>(nullptr), status, own);
    }
    for (const List& list : kLists) {
        for (const json& item : member_of(&status, list.name)) {
            if (const json& conditions = member_of(&item, "conditions"); conditions.is_array()) {
                visit(&list, item, conditions);
            }
        }
    }
}

void keep_list(json& conditions, const json& previous, const std::string& now) {
    for (json& condition : conditions) {
        const json* before = find_by(previous, "type", condition["type"]);
        const bool same = before != nullptr && before->contains("lastTransitionTime") && (*before)["status"] == condition["status"];
        condition["lastTransitionTime"] = same ? (*before)["lastTransitionTime"] : json(now);
    }
}

std::string where_of(const List& list, const json& item, const std::string& ns) {
    const json& key = item[list.key];
    if (key.is_string()) {
        return fmt::format("{} {}", list.word, key.get<std::string>());
    }
    std::string where = fmt::format("{} {}/{}/{}", list.word, key.value("kind", "Gateway"), key.value("namespace", ns), key.value("name", ""));
    if (key.contains("sectionName")) {
        where += "/" + key["sectionName"].get<std::string>();
    }
    return where;
}

}  // namespace

void set_condition(json& conditions, std::string_view type, std::string_view condition_status, std::string_view reason,
                   std::string_view message, std::int64_t generation) {
    if (!conditions.is_array()) {
        conditions = json::array();
    }
    const json condition = {{"type", type}, {"status", condition_status}, {"reason", reason}, {"message", message}, {"observedGeneration", generation}};
    auto at = conditions.begin();
    while (at != conditions.end() && (*at)["type"].get_ref<const std::string&>() < type) {
        ++at;
    }
    if (at != conditions.end() && (*at)["type"] == type) {
        *at = condition;
    } else {
        conditions.insert(at, condition);
    }
}

void keep_times(json& next, const json& previous, const std::string& now) {
    if (next.contains("conditions")) {
        keep_list(next["conditions"], member_of(&previous, "conditions"), now);
    }
    for (const List& list : kLists) {
        if (!next.contains(list.name)) {
            continue;
        }
        for (json& item : next[list.name]) {
            const json* before = find_by(member_of(&previous, list.name), list.key, item[list.key]);
            if (item.contains("conditions")) {
                keep_list(item["conditions"], member_of(before, "conditions"), now);
            }
        }
    }
}

void for_each_conditions(const json& status, const std::string& ns,
                         const std::function<void(const std::string& where, const json& conditions)>& visit) {
    visit_lists(status, [&](const List* list, const json& item, const json& conditions) {
        visit(list != nullptr ? where_of(*list, item, ns) : std::string(), conditions);
    });
}

std::string text_at(const json& of, const char* name) {
    const json& member = member_of(&of, name);
    return member.is_string() ? member.get<std::string>() : std::string();
}

std::int64_t generation_of(const json& condition) {
    const json& member = member_of(&condition, "observedGeneration");
    return member.is_number_integer() ? member.get<std::int64_t>() : 0;
}

bool is_good(const json& condition) {
    const json& type = member_of(&condition, "type");
    const bool holds = member_of(&condition, "status") == "True";
    return holds != (type.is_string() && compile::is_bad_news(type.get_ref<const std::string&>()));
}

std::size_t count_not_good(const json& status) {
    std::size_t count = 0;
    visit_lists(status, [&count](const List* /*list*/, const json& /*item*/, const json& conditions) {
        count += static_cast<std::size_t>(std::count_if(conditions.begin(), conditions.end(), [](const json& one) { return one.is_object() && !is_good(one); }));
    });
    return count;
}

void add_not_good(json& list, const json& object, const json& status) {
    for_each_conditions(status, object["namespace"].get<std::string>(), [&](const std::string& where, const json& conditions) {
        for (const json& condition : conditions) {
            if (!is_good(condition)) {
                list.push_back({{"object", object},
                                {"where", where},
                                {"type", condition["type"]},
                                {"status", condition["status"]},
                                {"reason", condition["reason"]},
                                {"message", condition["message"]},
                                {"observed_generation", condition.value("observedGeneration", 0)},
                                {"last_transition_time", condition.value("lastTransitionTime", "")}});
            }
        }
    });
}

}  // namespace penstock::status
