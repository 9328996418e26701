// SPDX-License-Identifier: Apache-2.0
// What workers are told, and in which order.
#include <algorithm>
#include <utility>

#include "schema/keeper.hpp"
#include "userspace/keeper/keeper.hpp"
#include "userspace/keeper/messages.hpp"

namespace penstock::keeper {

void Keeper::equip(Worker& worker) {
    worker.peer.send(encode(hello()));
    for (const auto& [name, descriptors] : items_.all()) {
        worker.peer.send(encode(put_message(name)), descriptors);
    }
    tell_published(worker);
}

void Keeper::tell_published(Worker& worker) {
    const bool news = worker.state != WorkerState::Draining && !std::exchange(worker.told, true) && items_.published.generation != 0;
    if (const auto& all = worker.later; !news || !fit_one_publish(all.begin(), all.end(), [](const auto& one) { return one.first.second.size(); })) {
        catch_up(worker);
    }
    if (news) {
        PublishT message = publish_message(items_.published);
        std::vector<Descriptors> brought;
        for (auto& [name, descriptors] : std::exchange(worker.later, {})) {
            message.brings.push_back(std::make_unique<PutT>(put_message(name)));
            brought.push_back(std::move(descriptors));
        }
        worker.peer.send(encode(message), std::move(brought));
    }
}

// Clients wait for the worker that serves: the others build their tables once it has built its own, and do not compete with it for the
// processor. One that is made active learns before that what it is to serve.
void Keeper::publish() {
    bool served = false;
    for (Worker& worker : workers_) {
        worker.ready = worker.told = false;
        worker.said = 0;
        if (worker.state == WorkerState::Active) {
            tell_published(worker);
            served = true;
        }
    }
    if (!served) {
        std::for_each(workers_.begin(), workers_.end(), [this](Worker& worker) { tell_published(worker); });
    }
}

void Keeper::to_workers(const std::vector<std::uint8_t>& bytes, const Descriptors& descriptors) {
    for (Worker& worker : workers_) {
        if (worker.state != WorkerState::Draining) {
            catch_up(worker);  // in the order that it came
            worker.peer.send(bytes, descriptors);
        }
    }
}

// What a snapshot is made of is of no use before the snapshot.
void Keeper::ingredient_to_workers(const Items::Name& name, const Descriptors& descriptors) {
    constexpr std::size_t kLaterMax = 1024;
    for (Worker& worker : workers_) {
        if (worker.state == WorkerState::Draining) {
            continue;
        }
        if (worker.later.size() >= kLaterMax) {
            catch_up(worker);
        }
        worker.later.emplace_back(name, descriptors);
    }
}

void Keeper::catch_up(Worker& worker) {
    for (auto& [name, descriptors] : std::exchange(worker.later, {})) {
        worker.peer.send(encode(put_message(name)), std::move(descriptors));
    }
}

}  // namespace penstock::keeper
