// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/forgotten.hpp"

#include <utility>

#include "ctl/kubeapi/url.hpp"
#include "userspace/base/log.hpp"

namespace penstock::kubeapi {

void delete_forgotten(Client& client, const std::string& node, Request removal) {
    client.send({.path = "/api/v1/nodes/" + url_encoded(node)}, [&client, node, removal = std::move(removal)](const Result<Answer>& answer) {
        if (!answer.ok() || answer->status != 404) {
            return;
        }
        client.send(removal, [node](const Result<Answer>& deleted) {
            if (deleted.ok() && deleted->good()) {
                log::info("the Lease of {} was deleted: the cluster has no such node any more", node);
            }
        });
    });
}

}  // namespace penstock::kubeapi
