// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/version.hpp"

namespace penstock {

const std::string_view kVersion = PST_VERSION;
const std::string_view kCommit = PST_COMMIT;

}  // namespace penstock
