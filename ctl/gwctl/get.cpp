// SPDX-License-Identifier: Apache-2.0
// get: objects with what their conditions come to.
#include <algorithm>
#include <cstdio>
#include <map>

#include "ctl/gwctl/answer.hpp"
#include "ctl/gwctl/columns.hpp"
#include "ctl/gwctl/object_view.hpp"
#include "ctl/gwctl/objects.hpp"
#include "ctl/gwctl/text_table.hpp"

namespace penstock::gwctl {

namespace {

using nlohmann::json;

void print_objects(const json& items, bool with_namespace, bool wide) {
    std::vector<std::string> order;
    std::map<std::string, std::vector<const json*>> by_kind;
    for (const json& object : items) {
        auto& list = by_kind[text_at(object, {"kind"})];
        if (list.empty()) {
            order.push_back(text_at(object, {"kind"}));
        }
        list.push_back(&object);
    }
    bool first = true;
    for (const std::string& kind : order) {
        std::vector<std::string> heading;
        if (with_namespace) {
            heading.emplace_back("NAMESPACE");
        }
        heading.push_back(order.size() > 1 ? "NAME (" + kind + ")" : "NAME");
        const auto columns = columns_of(kind, wide);
        std::transform(columns.begin(), columns.end(), std::back_inserter(heading), [](const Column& column) { return column.heading; });
        heading.emplace_back("AGE");
        TextTable table(heading);
        for (const json* object : by_kind[kind]) {
            std::vector<std::string> row;
            if (with_namespace) {
                row.push_back(text_at(*object, {"metadata", "namespace"}));
            }
            row.push_back(text_at(*object, {"metadata", "name"}));
            std::transform(columns.begin(), columns.end(), std::back_inserter(row), [&](const Column& column) { return column.value(*object); });
            row.push_back(age_of(text_at(*object, {"metadata", "creationTimestamp"})));
            table.add(std::move(row));
        }
        std::printf("%s%s", first ? "" : "\n", table.text().c_str());
        first = false;
    }
}

// As kubectl has it: "gateway.gateway.networking.k8s.io/edge".
void print_names(const json& items) {
    for (const json& object : items) {
        std::string kind = text_at(object, {"kind"});
        std::transform(kind.begin(), kind.end(), kind.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        const std::string version = text_at(object, {"apiVersion"});
        const std::size_t slash = version.find('/');
        std::printf("%s%s/%s\n", kind.c_str(), slash == std::string::npos ? "" : ("." + version.substr(0, slash)).c_str(), text_at(object, {"metadata", "name"}).c_str());
    }
}

}  // namespace

std::vector<model::Kind> kinds_of(const std::string& words) {
    std::vector<model::Kind> out;
    for (std::size_t from = 0; from <= words.size();) {
        const std::size_t end = std::min(words.find(',', from), words.size());
        out.push_back(*model::kind_of_word(words.substr(from, end - from)));
        from = end + 1;
    }
    return out;
}

Result<json> objects_of(const Arguments& arguments, Place& place, const std::string& name) {
    json items = json::array();
    for (const model::Kind kind : kinds_of(arguments.words[0])) {
        const auto ns = model::info(kind).namespaced ? namespace_of(arguments, place) : std::nullopt;
        PST_TRY_ASSIGN(const json found, place.objects({.kind = kind, .ns = ns, .name = name, .selector = arguments.selector}));
        std::transform(found.begin(), found.end(), std::back_inserter(items), shown);
    }
    return items;
}

std::string in_namespace(const Arguments& arguments, const Place& place) {
    const auto ns = namespace_of(arguments, place);
    return ns ? " in the namespace " + *ns + " (-A looks into all)" : "";
}

Result<int> run_get(const Arguments& arguments) {
    const std::string name = arguments.words.size() > 1 ? arguments.words[1] : "";
    PST_TRY_ASSIGN(const auto place, open_place(arguments));
    PST_TRY_ASSIGN(const json items, objects_of(arguments, *place, name));
    if (arguments.as_document()) {
        print_document(name.empty() || items.size() != 1 ? json({{"apiVersion", "v1"}, {"kind", "List"}, {"items", items}}) : items[0], arguments.output);
    } else if (arguments.output == "name") {
        print_names(items);
    } else {
        print_objects(items, !namespace_of(arguments, *place), arguments.output == "wide");
    }
    if (items.empty()) {
        std::fprintf(stderr, "nothing found%s\n", in_namespace(arguments, *place).c_str());
    }
    return items.empty() ? kNo : kYes;
}

}  // namespace penstock::gwctl
