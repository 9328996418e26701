// SPDX-License-Identifier: Apache-2.0
// Making the scenes that analysis looks at: what a place holds, what files hold, and what a place would hold with the files applied.
#pragma once

#include <string>
#include <vector>

#include "ctl/gwctl/analysis.hpp"
#include "ctl/gwctl/offline.hpp"
#include "ctl/gwctl/place.hpp"

namespace penstock::gwctl {

// All that the place holds. A kind that this user may not list is unseen, one that is not installed has no objects: both are told on
// stderr.
Result<Scene> scene_of_place(Place& place, std::int64_t now_s);

Scene scene_of_files(const Offline& files, std::int64_t now_s);

struct Planned {
    Scene before;  // both with the statuses that a daemon would give, so that they can be compared
    Scene after;
    std::vector<model::ObjectKey> created;
    std::vector<model::ObjectKey> replaced;
};
// `ns`: of objects that name none.
Planned with_files(Scene base, const Offline& files, const std::string& ns);

}  // namespace penstock::gwctl
