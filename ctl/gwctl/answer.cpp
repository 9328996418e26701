// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/answer.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "ctl/gwctl/text_table.hpp"
#include "ctl/model/value_text.hpp"

namespace penstock::gwctl {

namespace {

using nlohmann::json;

const json kNothing = json::object();
const json kNone = json::array();

}  // namespace

const json& at(const json& object, std::initializer_list<const char*> path) {
    const json* here = &object;
    for (const char* name : path) {
        const auto found = here->is_object() ? here->find(name) : here->end();
        if (!here->is_object() || found == here->end()) {
            return kNothing;
        }
        here = &*found;
    }
    return *here;
}

const json& list_at(const json& object, std::initializer_list<const char*> path) {
    const json& found = at(object, path);
    return found.is_array() ? found : kNone;
}

std::string printable(std::string text) {
    std::replace_if(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
    return text;
}

std::string text_at(const json& object, std::initializer_list<const char*> path) {
    const json& found = at(object, path);
    return found.is_string() ? printable(found.get<std::string>()) : found.is_number() ? found.dump() : "";
}

bool flag_at(const json& object, std::initializer_list<const char*> path, bool absent) {
    const json& found = at(object, path);
    return found.is_boolean() ? found.get<bool>() : absent;
}

std::uint64_t count_at(const json& object, std::initializer_list<const char*> path) {
    const json& found = at(object, path);
    const bool negative = !found.is_number_unsigned() && found.is_number_integer() && found.get<std::int64_t>() < 0;
    return found.is_number_integer() && !negative ? found.get<std::uint64_t>() : 0;
}

void print_document(const json& document, const std::string& format) {
    const std::string text = document.dump(2, ' ', false, json::error_handler_t::replace);
    if (format == "json") {
        std::printf("%s\n", text.c_str());
    } else {
        std::fputs(model::to_yaml_text(model::from_json(nlohmann::ordered_json::parse(text))).c_str(), stdout);
    }
}

std::string age_of(const std::string& rfc3339) {
    std::tm parts = {};
    if (::strptime(rfc3339.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts) == nullptr) {
        return "-";
    }
    const auto seconds = std::max<std::int64_t>(0, ::time(nullptr) - ::timegm(&parts));
    if (seconds < 120) {
        return std::to_string(seconds) + "s";
    }
    if (seconds < 2 * 3600) {
        return std::to_string(seconds / 60) + "m";
    }
    return seconds < 2 * 86400 ? std::to_string(seconds / 3600) + "h" : std::to_string(seconds / 86400) + "d";
}

std::string not_good_table(const json& list) {
    TextTable table({"OBJECT", "WHERE", "CONDITION", "REASON", "MESSAGE"});
    for (const json& condition : list) {
        const std::string ns = text_at(condition, {"object", "namespace"});
        table.add({text_at(condition, {"object", "kind"}) + " " + (ns.empty() ? "" : ns + "/") + text_at(condition, {"object", "name"}), text_at(condition, {"where"}),
                   text_at(condition, {"type"}) + "=" + text_at(condition, {"status"}), text_at(condition, {"reason"}), text_at(condition, {"message"})});
    }
    return table.empty() ? "" : table.text();
}

void print_diagnostics(const json& list) {
    for (const json& one : list) {
        const std::string line = text_at(one, {"line"});
        const std::string path = text_at(one, {"path"});
        const std::string place = text_at(one, {"file"}) + (line.empty() || line == "0" ? "" : ":" + line);
        std::fprintf(stderr, "%s: %s%s%s%s%s\n", text_at(one, {"severity"}).c_str(), place.c_str(), place.empty() ? "" : ": ", path.c_str(), path.empty() ? "" : ": ",
                     text_at(one, {"message"}).c_str());
    }
}

}  // namespace penstock::gwctl
