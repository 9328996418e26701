// SPDX-License-Identifier: Apache-2.0
// The sources as one store. Where two give an object, the source named first wins, and within a source the first file; the loser is told.
// Objects get what an API server would have added (identity.hpp). An object that did not change stays the same object, so compile can
// see by its address that there is nothing to do.
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
    std::map<model::ObjectKey, std::string> origins;                // "folder /etc/penstock: gateway.yaml"
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
    model::ObjectPtr finish(const model::ObjectPtr& given, std::int64_t now_s);

    IdentityBook book_;
    std::map<model::ObjectKey, Finished> finished_;
};

}  // namespace penstock::source
