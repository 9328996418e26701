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
    for (const fb::ListRef* ref : *root.lists()) {
        ListName name{ref->key()->str(), ref->digest()->str()};
        if (!names.empty() && !(names.back().key < name.key)) {
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

std::string path_of(const fb::Part& part) { return fb::part_path(part.kind(), part.key()->string_view()); }

}  // namespace

Result<const fb::PartList*> ListReader::list(const ListName& name) {
    const auto known = read_.find(name);
    if (known != read_.end()) {
        return known->second;
    }
    const std::string item = fb::list_name(name.key, name.digest);
    PST_TRY_ASSIGN(const auto bytes, storage_.list(item));
    PST_TRY_ASSIGN(const fb::PartList* list, verified<fb::PartList>(bytes));
    std::string before;
    for (const fb::Part* part : *list->parts()) {
        std::string path = path_of(*part);
        if (path < name.key || path <= before) {
            return invalid_part(item + " is in no order");
        }
        before = std::move(path);
    }
    read_.emplace(name, list);
    return list;
}

Result<std::span<const std::uint8_t>> ListReader::part(const std::vector<ListName>& lists, std::string_view path) {
    const auto behind = std::upper_bound(lists.begin(), lists.end(), path, [](std::string_view wanted, const ListName& list) { return wanted < list.key; });
    if (behind != lists.begin()) {
        PST_TRY_ASSIGN(const fb::PartList* parts, list(*std::prev(behind)));
        const auto found = std::lower_bound(parts->parts()->begin(), parts->parts()->end(), path, [](const fb::Part* part, std::string_view wanted) { return path_of(*part) < wanted; });
        if (found != parts->parts()->end() && path_of(**found) == path) {
            return std::span<const std::uint8_t>(found->bytes()->data(), found->bytes()->size());
        }
    }
    return Error{.code = Errc::not_found, .what = "part " + std::string(path) + " is in no list"};
}

Result<PartEdits> follow_lists(const fb::Root& root, ListReader& reader, std::vector<ListName>& lists, MadeParts& made) {
    PST_TRY_ASSIGN(std::vector<ListName> now, names_in(root));
    std::map<std::string, fb::Digest> digests;  // of what the lists that are not known have
    for (const ListName& name : without(now, lists)) {
        PST_TRY_ASSIGN(const fb::PartList* list, reader.list(name));
        for (const fb::Part* part : *list->parts()) {
            digests[path_of(*part)] = *part->digest();
        }
    }
    std::set<std::string> gone;
    for (const ListName& name : without(lists, now)) {
        add_paths(made, lists, name, gone);
    }
    PartEdits edits;
    for (const auto& [path, digest] : digests) {
        gone.erase(path);
        const Made* before = made.get(path);
        if (before == nullptr || !(before->digest == digest)) {
            edits.come.push_back(path);
        }
    }
    for (const std::string& path : edits.come) {
        const Made* before = made.get(path);
        made.set(path, Made{digests[path], true, before != nullptr ? before->object : nullptr});
    }
    for (const std::string& path : gone) {
        edits.gone.emplace_back(path, *made.get(path));
        made.erase(path);
    }
    lists = std::move(now);
    return edits;
}

}  // namespace penstock::proxy
