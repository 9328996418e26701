// SPDX-License-Identifier: Apache-2.0
// What the keeper says to daemon and workers alike.
#pragma once

#include "schema/keeper.hpp"
#include "schema/keeper_wire.hpp"
#include "userspace/keeper/items.hpp"

namespace penstock::keeper {

HelloT hello(std::uint32_t version = kProtocolVersion);
PutT put_message(const Items::Name& name);
PublishT publish_message(const Published& published);

}  // namespace penstock::keeper
