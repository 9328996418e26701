// SPDX-License-Identifier: Apache-2.0
// Reading the daemon's answers and printing what several commands print. A daemon of another version may leave out or add anything: what
// is not there, or of another shape, reads as nothing.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>

namespace penstock::gwctl {

// The value at the end of the path; an empty object if there is none. As long-lived as `object`.
const nlohmann::json& at(const nlohmann::json& object, std::initializer_list<const char*> path);
// A list at the end of the path; an empty one if there is none.
const nlohmann::json& list_at(const nlohmann::json& object, std::initializer_list<const char*> path);
// A string as it is, a number as it is written, else "". Control characters are shown as "?": they would reach the terminal.
std::string text_at(const nlohmann::json& object, std::initializer_list<const char*> path);
std::string printable(std::string text);
bool flag_at(const nlohmann::json& object, std::initializer_list<const char*> path, bool absent);
std::uint64_t count_at(const nlohmann::json& object, std::initializer_list<const char*> path);

// As JSON or YAML to stdout.
void print_document(const nlohmann::json& document, const std::string& format);
// "5m", from the time of an object; "-" if it is none.
std::string age_of(const std::string& rfc3339);
// Conditions that are not good, as a table; "" if there are none.
std::string not_good_table(const nlohmann::json& list);
// "error: gateway.yaml:14: spec...: message" and the like, to stderr.
void print_diagnostics(const nlohmann::json& list);

}  // namespace penstock::gwctl
