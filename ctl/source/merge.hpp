// SPDX-License-Identifier: Apache-2.0
// The sources as one store. Where two give an object, the source named first wins, and within a source the first file; the loser is told.
// Objects get what an API server would have added (identity.hpp). An object that did not change stays the same object, so compile can
// see by its address that there is nothing to do; and only the objects that a source gives anew are looked at.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ctl/model/store.hpp"
#include "ctl/source/identity.hpp"
#include "ctl/source/source.hpp"

namespace penstock::source {

struct Merged {
    model::Store store;
    model::ObjectMap<std::string> origins;                          // "folder /etc/penstock: gateway.yaml"
    std::vector<std::vector<model::Diagnostic>> duplicates;         // one list per source
};

class Merger {
public:
    explicit Merger(IdentityBook book) : book_(std::move(book)) {}

    Merged merge(const std::vector<const Given*>& sources, std::int64_t now_s);
    [[nodiscard]] IdentityBook& book() { return book_; }

private:
    struct Finished {
        model::ObjectPtr given;  // by the source
        model::ObjectPtr whole;  // with identity
    };
    // What a source gave at the last merge.
    struct Seen {
        std::string name;
        std::vector<model::ObjectPtr> objects;
    };
    struct Edit {
        const Given* source;
        std::vector<model::ObjectPtr> gone;
        std::vector<model::ObjectPtr> come;
    };
    [[nodiscard]] std::vector<Edit> edits(const std::vector<const Given*>& sources) const;
    [[nodiscard]] bool same_sources(const std::vector<const Given*>& sources) const;
    [[nodiscard]] bool without_duplicates(const std::vector<Edit>& edits) const;
    void merge_edits(const std::vector<Edit>& edits, std::int64_t now_s);
    void merge_whole(const std::vector<const Given*>& sources, std::int64_t now_s);
    model::ObjectPtr finish(const Given& source, const model::ObjectPtr& given, std::int64_t now_s);

    IdentityBook book_;
    std::map<model::ObjectKey, Finished> finished_;
    std::vector<Seen> seen_;
    Merged merged_;
};

}  // namespace penstock::source
