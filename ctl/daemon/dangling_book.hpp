// SPDX-License-Identifier: Apache-2.0
// What is to be said of references that lead nowhere (ctl/compile/dangling.hpp), kept up to date with a store by what changed in it.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "ctl/model/decode.hpp"
#include "ctl/model/store.hpp"

namespace penstock::daemon {

class DanglingBook {
public:
    // `before` is the store of the last update, or an empty one. Of objects that do not count nothing is said.
    using Counts = std::function<bool(const model::ObjectKey&)>;
    void update(const model::Store& before, const model::Store& now, const Counts& counts);

    // Of each object that has such references; no list is empty.
    using All = std::map<model::ObjectKey, std::vector<model::Diagnostic>>;
    [[nodiscard]] const All& all() const { return all_; }

private:
    void look_at(const model::ObjectKey& key, const model::Store& store, const Counts& counts);

    All all_;
};

}  // namespace penstock::daemon
