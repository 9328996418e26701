// SPDX-License-Identifier: Apache-2.0
// All of the ring: see loop.hpp for how it is used.
#pragma once

#include "userspace/ring/loop.hpp"  // IWYU pragma: export
#include "userspace/ring/sync.hpp"  // IWYU pragma: export
