// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/h2_pool.hpp"

#include <algorithm>

#include "userspace/proxy/h2_upstream.hpp"

namespace penstock::proxy {

std::shared_ptr<H2Upstream> H2Pool::find(const BackendPlace& place) {
    const auto found = places_.find(place);
    if (found == places_.end()) {
        return nullptr;
    }
    const auto& open = found->second.open;
    const auto with_room = std::find_if(open.begin(), open.end(), [](const auto& upstream) { return upstream->can_open(); });
    return with_room == open.end() ? nullptr : *with_room;
}

std::size_t H2Pool::size(const BackendPlace& place) const {
    const auto found = places_.find(place);
    return found == places_.end() ? 0 : found->second.open.size();
}

std::shared_ptr<H2Upstream> H2Pool::add(Context& context, const BackendPlace& place, Stream stream) {
    auto upstream = std::make_shared<H2Upstream>(context, std::move(stream));
    places_[place].open.push_back(upstream);
    if (const auto client = place.client ? clients_.find(*place.client) : clients_.end(); client != clients_.end()) {
        client->second.open.push_back(upstream);
    }
    context.loop.spawn(keep(place, upstream));
    return upstream;
}

ring::Task<> H2Pool::keep(BackendPlace place, std::shared_ptr<H2Upstream> upstream) {
    co_await upstream->run();
    Place& here = places_[place];
    std::erase(here.open, upstream);
    if (here.open.empty() && !here.connecting && !here.connected.waited()) {
        places_.erase(place);
    }
    if (const auto client = place.client ? clients_.find(*place.client) : clients_.end(); client != clients_.end()) {
        std::erase(client->second.open, upstream);
    }
}

void H2Pool::let_client_go(const Endpoint& client) {
    const auto found = clients_.find(client);
    if (--found->second.holds == 0) {
        leave(found->second.open);
        clients_.erase(found);
    }
}

void H2Pool::end_connect(const BackendPlace& place) {
    Place& here = places_[place];
    here.connecting = false;
    here.connected.signal();
    if (here.open.empty()) {
        places_.erase(place);
    }
}

void H2Pool::leave(const std::vector<std::shared_ptr<H2Upstream>>& open) {
    for (const auto& upstream : open) {
        upstream->leave();
    }
}

}  // namespace penstock::proxy
