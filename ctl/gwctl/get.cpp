// SPDX-License-Identifier: Apache-2.0
// get: objects with what their conditions come to.
#include <algorithm>
#include <cstdio>
#include <map>

#include "ctl/gwctl/answer.hpp"
#include "ctl/gwctl/object_rows.hpp"
#include "ctl/gwctl/object_view.hpp"
#include "ctl/gwctl/objects.hpp"
#include "ctl/gwctl/text_table.hpp"
#include "ctl/gwctl/watched.hpp"

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
        const ObjectRows rows(kind, with_namespace, wide);
        TextTable table(rows.heading(order.size() > 1 ? "NAME (" + kind + ")" : "NAME"));
        for (const json* object : by_kind[kind]) {
            table.add(rows.row(*object));
        }
        std::printf("%s%s", first ? "" : "\n", table.text().c_str());
        first = false;
    }
}

}  // namespace

Result<Found> find_objects(const Arguments& arguments, Place& place) {
    Found out;
    PST_TRY_ASSIGN(const auto wanted, named_by(arguments.words, true));
    const bool several = std::any_of(wanted.begin(), wanted.end(), [&](const Named& one) { return one.kind != wanted.front().kind; });
    for (const Named& one : wanted) {
        const auto ns = model::info(one.kind).namespaced ? namespace_of(arguments, place) : std::nullopt;
        auto found = place.objects({.kind = one.kind, .ns = ns, .name = one.name, .selector = arguments.selector});
        if (!found.ok() && several && found.error().code == Errc::unsupported) {
            std::fprintf(stderr, "note: %s\n", found.error().sentence().c_str());
            continue;
        }
        PST_TRY_ASSIGN(const json items, std::move(found));
        if (items.empty() && !one.name.empty()) {
            out.absent.push_back(one);
        }
        std::transform(items.begin(), items.end(), std::back_inserter(out.items), shown);
    }
    out.one = wanted.size() == 1 && !wanted.front().name.empty() && out.items.size() == 1;
    return out;
}

void tell_absent(const Found& found, const std::string& where) {
    for (const Named& one : found.absent) {
        const Error none{.code = Errc::not_found, .what = "there is no " + one.word + " " + one.name + where, .hint = "-n names another namespace"};
        std::fprintf(stderr, "%s\n", none.report().c_str());
    }
}

std::string in_namespace(const Arguments& arguments, const Place& place) {
    const auto ns = namespace_of(arguments, place);
    return ns ? " in the namespace " + *ns + " (-A looks into all)" : "";
}

Result<int> run_get(const Arguments& arguments) {
    PST_TRY_ASSIGN(const auto place, open_place(arguments));
    if (arguments.watch) {
        return watch_objects(arguments, *place);
    }
    PST_TRY_ASSIGN(const Found found, find_objects(arguments, *place));
    const json& items = found.items;
    if (arguments.as_document()) {
        print_document(found.one ? items[0] : json({{"apiVersion", "v1"}, {"kind", "List"}, {"items", items}}), arguments.output);
    } else if (arguments.output == "name") {
        for (const json& object : items) {
            std::printf("%s\n", full_name(object).c_str());
        }
    } else {
        print_objects(items, !namespace_of(arguments, *place), arguments.output == "wide");
    }
    std::fflush(stdout);
    if (items.empty()) {
        std::fprintf(stderr, "nothing found%s\n", in_namespace(arguments, *place).c_str());
        return kNo;
    }
    if (arguments.words[0].find(',') != std::string::npos) {
        return kYes;  // a name may be one of some of the kinds
    }
    tell_absent(found, in_namespace(arguments, *place));
    return found.absent.empty() ? kYes : kNo;
}

}  // namespace penstock::gwctl
