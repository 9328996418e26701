// SPDX-License-Identifier: Apache-2.0
// What get, describe and analyze read out of an object's JSON. It may come from anywhere: what is not there reads as nothing.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

namespace penstock::gwctl {

std::string or_else(std::string text, const char* absent);
// Strings of a list (or a member of its objects), by commas; "-" if there are none.
std::string joined(const nlohmann::json& list, const char* member = nullptr);
// "shop/cart", "penstock"
std::string name_of(const nlohmann::json& object);
// "HTTPRoute shop/cart"
std::string title_of(const nlohmann::json& object);

// Calls `visit(where, condition)` for every condition of a status: "", "listener http", "parent edge/http".
using VisitCondition = std::function<void(const std::string& where, const nlohmann::json& condition)>;
void each_condition(const nlohmann::json& status, const VisitCondition& visit);

// An object as we show it: a Secret with the names of its entries, and nothing with the bookkeeping of field managers.
nlohmann::json shown(const nlohmann::json& object);

}  // namespace penstock::gwctl
