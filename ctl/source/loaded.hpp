// SPDX-License-Identifier: Apache-2.0
// The source `loaded`: what `gwctl load` put in, object by object, kept in one file (0600: it holds Secrets) so that a restarted daemon
// serves the same. A change is all or nothing, and it is made on a copy: a dry run throws the copy away.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/model/value_text.hpp"
#include "ctl/source/source.hpp"

namespace penstock::source {

struct LoadDocument {
    std::string name;  // for messages
    std::string text;
};

struct ObjectChange {
    enum class What { created, configured, unchanged, removed };
    model::ObjectKey key;
    What what = What::unchanged;
};
std::string_view name_of(ObjectChange::What what);

struct LoadResult {
    std::vector<ObjectChange> changes;           // in the order of the documents, then removals
    std::vector<model::Diagnostic> diagnostics;
    bool refused = false;                        // some diagnostic is an error: nothing was changed
};

class Loaded {
public:
    // Merges the documents' objects, or puts them in place of all. Refuses the whole if anything is wrong.
    LoadResult load(const std::vector<LoadDocument>& documents, bool replace);
    // False if it is not here.
    bool remove(const model::ObjectKey& key);
    [[nodiscard]] bool has(const model::ObjectKey& key) const { return entries_.contains(key); }

    [[nodiscard]] Given given() const;

    // The file's text. Shows Secrets.
    [[nodiscard]] std::string encode() const;
    // Objects that this version does not accept are left out and told by given().
    static Result<Loaded> decode(std::string_view text);

private:
    struct Entry {
        std::size_t order = 0;  // of loading, for encode()
        model::Value value;     // as it was written, Secrets included
        model::ObjectPtr object;
    };
    void keep(const model::ObjectKey& key, Entry entry);

    std::map<model::ObjectKey, Entry> entries_;
    model::ObjectMap<model::ObjectPtr> objects_;  // theirs
    std::size_t next_order_ = 0;
    std::vector<model::Diagnostic> diagnostics_;  // of decode()
};

}  // namespace penstock::source
