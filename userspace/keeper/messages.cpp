// SPDX-License-Identifier: Apache-2.0
#include "userspace/keeper/messages.hpp"

#include <unistd.h>

namespace penstock::keeper {

HelloT hello(std::uint32_t version) {
    HelloT message;
    message.version = version;
    message.role = "keeper";
    message.pid = ::getpid();
    return message;
}

PutT put_message(const Items::Name& name) {
    PutT message;
    message.kind = name.first;
    message.name = name.second;
    return message;
}

PublishT publish_message(const Published& published) {
    PublishT message;
    message.generation = published.generation;
    message.root = published.root;
    message.drain_ms = published.drain_ms;
    return message;
}

}  // namespace penstock::keeper
