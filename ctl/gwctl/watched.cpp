// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/watched.hpp"

#include <algorithm>
#include <cstdio>
#include <set>

#include "ctl/gwctl/answer.hpp"
#include "ctl/gwctl/object_rows.hpp"
#include "ctl/gwctl/object_view.hpp"
#include "ctl/gwctl/objects.hpp"
#include "ctl/gwctl/text_table.hpp"

namespace penstock::gwctl {

using nlohmann::json;

std::vector<json> Watched::changed(const Place::Seen& seen) {
    std::vector<json> out;
    std::set<Name> there;
    for (const auto& [object, gone] : seen.objects) {
        const Name name{text_at(object, {"metadata", "namespace"}), text_at(object, {"metadata", "name"})};
        const auto known = known_.find(name);
        if (gone) {
            known_.erase(name);
            out.push_back(object);
            continue;
        }
        there.insert(name);
        if (known == known_.end() || known->second != object) {
            known_.insert_or_assign(name, object);
            out.push_back(object);
        }
    }
    for (auto it = known_.begin(); seen.all && it != known_.end();) {
        if (there.contains(it->first)) {
            ++it;
        } else {
            out.push_back(std::move(it->second));
            it = known_.erase(it);
        }
    }
    return out;
}

namespace {

class Printer {
public:
    Printer(const Arguments& arguments, const std::string& kind, bool with_namespace) : arguments_(arguments), rows_(kind, with_namespace, arguments.output == "wide") {}

    void print(const std::vector<json>& objects) {
        TextRows table;
        if (!objects.empty() && !std::exchange(begun_, true)) {
            table.push_back(rows_.heading());
        }
        for (const json& object : objects) {
            if (arguments_.as_document()) {
                std::printf("%s", arguments_.output == "yaml" ? "---\n" : "");
                print_document(object, arguments_.output);
            } else if (arguments_.output == "name") {
                std::printf("%s\n", full_name(object).c_str());
            } else {
                table.push_back(rows_.row(object));
            }
        }
        if (arguments_.output.empty() || arguments_.output == "wide") {
            std::fputs(aligned(table, widths_).c_str(), stdout);
        }
        std::fflush(stdout);
    }

private:
    const Arguments& arguments_;
    ObjectRows rows_;
    std::vector<std::size_t> widths_;
    bool begun_ = false;
};

}  // namespace

Result<int> watch_objects(const Arguments& arguments, Place& place) {
    PST_TRY_ASSIGN(const auto wanted, named_by(arguments.words, true));
    const Named& one = wanted.front();
    const auto ns = model::info(one.kind).namespaced ? namespace_of(arguments, place) : std::nullopt;
    Printer printer(arguments, std::string(model::kind_name(one.kind)), !namespace_of(arguments, place));
    Watched watched;
    bool first = true;
    PST_TRY(place.watch({.kind = one.kind, .ns = ns, .name = one.name, .selector = arguments.selector}, [&](Place::Seen seen) {
        if (std::exchange(first, false) && seen.objects.empty() && !one.name.empty()) {
            return false;
        }
        for (auto& [object, gone] : seen.objects) {
            object = shown(object);
        }
        printer.print(watched.changed(seen));
        return true;
    }));
    Found found;
    found.absent.push_back(one);
    tell_absent(found, in_namespace(arguments, place));
    return kNo;
}

}  // namespace penstock::gwctl
