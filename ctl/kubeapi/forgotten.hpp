// SPDX-License-Identifier: Apache-2.0
// What a node left behind, deleted once the cluster has no Node of its name.
#pragma once

#include <string>
#include <vector>

#include "ctl/kubeapi/client.hpp"

namespace penstock::kubeapi {

// Sends `removals` one after the other if the API server says that there is no such Node. An answer that says nothing of the kind (an error, a refusal)
// ends it and leaves things as they are: who wants it asks again some time. The first is good for one version only, so that what was renewed meanwhile
// stays.
void delete_forgotten(Client& client, const std::string& node, std::vector<Request> removals);

}  // namespace penstock::kubeapi
