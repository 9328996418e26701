// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/resync.hpp"

namespace penstock::daemon {

Resync::Duration Resync::next() {
    if (interval_ != Duration::zero()) {
        return interval_;
    }
    using std::chrono::hours;
    return Duration(std::uniform_int_distribution<Duration::rep>(Duration(hours(12)).count(), Duration(hours(24)).count())(random_));
}

}  // namespace penstock::daemon
