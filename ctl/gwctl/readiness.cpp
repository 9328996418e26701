// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/readiness.hpp"

#include <algorithm>

#include "ctl/gwctl/answer.hpp"

namespace penstock::gwctl {

using nlohmann::json;

std::string why_not_ready(const json& status) {
    const json& cluster = at(status, {"cluster"});
    if (!cluster.empty() && !flag_at(cluster, {"ready"}, false)) {
        return "the cluster was not read yet";
    }
    const json& processes = list_at(status, {"processes"});
    const bool active = std::any_of(processes.begin(), processes.end(), [](const json& one) { return text_at(one, {"name"}) == "penstock-worker" && text_at(one, {"state"}) == "active"; });
    if (!active) {
        return "no worker is active";
    }
    // A generation that is on its way, or that was refused, leaves the one before in service.
    if (count_at(status, {"generation", "taken"}) == 0) {
        return "no generation of this daemon is served yet";
    }
    return "";
}

}  // namespace penstock::gwctl
