// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/part_lists.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "schema/part_name.hpp"
#include "userspace/proxy/part_bytes.hpp"

namespace penstock::proxy {

namespace {

Result<std::vector<ListName>> names_in(const fb::Root& root) {
    std::vector<ListName> names;
    for (const fb::PartRef* ref : *root.lists()) {
        ListName name{ref->key()->str(), ref->digest()->str()};
        if (ref->kind() != fb::PartKind::List || (!names.empty() && !(names.back().key < name.key))) {
            return invalid_part("the lists of parts are in no order");
        }
        names.push_back(std::move(name));
    }
    return names;
}

// Those that only `some` has.
std::vector<ListName> without(const std::vector<ListName>& some, const std::vector<ListName>& others) {
    std::vector<ListName> left;
    std::set_difference(some.begin(), some.end(), others.begin(), others.end(), std::back_inserter(left));
    return left;
}

// The parts between a list's key and that of the one behind it.
void add_paths(const MadeParts& made, const std::vector<ListName>& lists, const ListName& list, std::set<std::string>& paths) {
    const auto behind = std::upper_bound(lists.begin(), lists.end(), list);
    for (auto at = made.lower_bound(list.key); at != made.end() && (behind == lists.end() || at->first < behind->key); ++at) {
        paths.insert(at->first);
    }
}

Status read_list(const ListName& name, const Storage& storage, std::map<std::string, std::string>& digests) {
    const std::string path = fb::part_path(fb::PartKind::List, name.key);
    PST_TRY_ASSIGN(const auto bytes, storage.part(path + "/" + name.digest));
    PST_TRY_ASSIGN(const fb::PartList* list, verified<fb::PartList>(bytes));
    std::string before;
    for (const fb::PartRef* ref : *list->parts()) {
        std::string part = fb::part_path(ref->kind(), ref->key()->string_view());
        if (part < name.key || part <= before) {
            return invalid_part(path + " is in no order");
        }
        before = part;
        digests[std::move(part)] = ref->digest()->str();
    }
    return success();
}

}  // namespace

Result<PartEdits> follow_lists(const fb::Root& root, const Storage& storage, std::vector<ListName>& lists, MadeParts& made) {
    PST_TRY_ASSIGN(std::vector<ListName> now, names_in(root));
    std::map<std::string, std::string> digests;  // of what the lists that are not known name
    for (const ListName& name : without(now, lists)) {
        PST_TRY(read_list(name, storage, digests));
    }
    std::set<std::string> gone;
    for (const ListName& name : without(lists, now)) {
        add_paths(made, lists, name, gone);
    }
    PartEdits edits;
    for (auto& [path, digest] : digests) {
        gone.erase(path);
        const Made* before = made.get(path);
        if (before != nullptr && before->digest == digest) {
            continue;
        }
        Made part = before != nullptr ? *before : Made();
        part.digest = std::move(digest);
        part.failed = true;
        made.set(path, std::move(part));
        edits.come.push_back(path);
    }
    for (const std::string& path : gone) {
        edits.gone.emplace_back(path, *made.get(path));
        made.erase(path);
    }
    lists = std::move(now);
    return edits;
}

}  // namespace penstock::proxy
