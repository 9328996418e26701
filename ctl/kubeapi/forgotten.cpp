// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/forgotten.hpp"

#include <utility>

#include "ctl/kubeapi/url.hpp"
#include "userspace/base/log.hpp"

namespace penstock::kubeapi {

namespace {

void remove_next(Client& client, const std::string& node, std::vector<Request> removals) {
    if (removals.empty()) {
        return;
    }
    Request first = std::move(removals.front());
    removals.erase(removals.begin());
    const std::string path = first.path;
    client.send(std::move(first), [&client, node, path, removals = std::move(removals)](const Result<Answer>& deleted) {
        if (deleted.ok() && deleted->good()) {
            log::info("{} was deleted: the cluster has no node {} any more", path, node);
            remove_next(client, node, removals);
        }
    });
}

}  // namespace

void delete_forgotten(Client& client, const std::string& node, std::vector<Request> removals) {
    client.send({.path = "/api/v1/nodes/" + url_encoded(node)}, [&client, node, removals = std::move(removals)](const Result<Answer>& answer) {
        if (answer.ok() && answer->status == 404) {
            remove_next(client, node, removals);
        }
    });
}

}  // namespace penstock::kubeapi
