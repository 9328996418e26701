// SPDX-License-Identifier: Apache-2.0
// What the keeper says to daemon and workers alike.
#pragma once

#include "schema/keeper_wire.hpp"
#include "userspace/keeper/items.hpp"

namespace penstock::keeper {

HelloT hello();
PutT put_message(const Items::Name& name);
PublishT publish_message(const Published& published);

}  // namespace penstock::keeper
