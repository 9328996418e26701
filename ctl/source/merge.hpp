// SPDX-License-Identifier: Apache-2.0
// The sources as one store. Where two give an object, the source named first wins, and the loser is told. Objects get what an API server
// would have added (identity.hpp). An object that did not change stays the same object, so compile can see by its address that there is
// nothing to do; and only what a source gives anew is looked at.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ctl/model/store.hpp"
#include "ctl/source/identity.hpp"
#include "ctl/source/source.hpp"

namespace penstock::source {

struct Merged {
    struct Source {
        std::string name;
        model::ObjectMap<model::ObjectPtr> objects;
    };
    model::Store store;
    std::vector<Source> sources;                             // what they gave, the first named first
    std::vector<std::vector<model::Diagnostic>> duplicates;  // one list per source

    // The place of an object of the store, "folder /etc/penstock: gateway.yaml"; nothing if there is none.
    [[nodiscard]] std::optional<std::string> origin(const model::ObjectKey& key) const;
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
    void begin_anew(const std::vector<const Given*>& sources);
    void settle(const model::ObjectKey& key, const std::vector<const Given*>& sources, std::int64_t now_s);
    void forget_the_gone();
    model::ObjectPtr finish(const Given& source, const model::ObjectPtr& given, std::int64_t now_s);

    IdentityBook book_;
    model::ObjectMap<Finished> finished_;  // of sources that are no API
    std::map<model::ObjectKey, std::map<std::size_t, model::Diagnostic>> losers_;  // by source
    Merged merged_;
};

}  // namespace penstock::source
