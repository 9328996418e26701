// SPDX-License-Identifier: Apache-2.0
// Editing `status` objects as the Kubernetes API has them: set one condition, keep the time of those that did not change. Pure; knows
// no object but the shape of a status: conditions at the top, in listeners (by name), in parents (by parentRef), in ancestors (by
// ancestorRef).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace penstock::status {

// Replaces or adds the condition `type` in a list of conditions that stays sorted by type. observedGeneration as given.
void set_condition(nlohmann::json& conditions, std::string_view type, std::string_view condition_status, std::string_view reason,
                   std::string_view message, std::int64_t generation);

// Gives every condition of `next` its lastTransitionTime: the previous one if the same condition had the same status, else `now`.
// `previous` may be null.
void keep_times(nlohmann::json& next, const nlohmann::json& previous, const std::string& now);

// Calls `visit` for every list of conditions of a status with where it stands: "", "listener https", "parent Gateway/ns/name",
// "ancestor Gateway/ns/name". `ns` is the object's own namespace, which references leave out.
void for_each_conditions(const nlohmann::json& status, const std::string& ns,
                         const std::function<void(const std::string& where, const nlohmann::json& conditions)>& visit);

// A member that is a string; "" if there is none, or `of` is no object: what others wrote may be anything.
std::string text_at(const nlohmann::json& of, const char* name);

// Its observedGeneration; 0 if there is none.
std::int64_t generation_of(const nlohmann::json& condition);

// Whether a condition says that all is well: by True, or by not being True where its type is bad news.
bool is_good(const nlohmann::json& condition);

// How many conditions of a status are not good.
std::size_t count_not_good(const nlohmann::json& status);

// Adds the conditions of one object that are not good to a list, as the control API has them. `object`: {"kind", "namespace", "name"}.
void add_not_good(nlohmann::json& list, const nlohmann::json& object, const nlohmann::json& status);

}  // namespace penstock::status
