// SPDX-License-Identifier: Apache-2.0
// Figures of the same thing, taken several times, and what is told of them. A benchmark has no use for an error: it says it and ends.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "userspace/base/result.hpp"

namespace penstock::bench {

[[noreturn]] inline void give_up(const Error& error) {
    std::fprintf(stderr, "%s\n", error.report().c_str());
    std::exit(3);
}

template <class T>
T must(Result<T> result) {
    if (!result.ok()) {
        give_up(result.error());
    }
    return std::move(result).value();
}

// Both are of at least one figure.
inline double best(const std::vector<double>& figures) { return *std::min_element(figures.begin(), figures.end()); }
inline double median(std::vector<double> figures) {
    const auto middle = figures.begin() + static_cast<std::ptrdiff_t>(figures.size() / 2);
    std::nth_element(figures.begin(), middle, figures.end());
    return *middle;
}

// CPU time of this thread, as the machine may have other work.
template <class Body>
double milliseconds(const Body& body) {
    const auto now = [] {
        timespec time{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
    };
    const double begin = now();
    body();
    return now() - begin;
}

template <class Body>
std::vector<double> milliseconds(int times, const Body& body) {
    std::vector<double> figures;
    for (int i = 0; i < times; ++i) {
        figures.push_back(milliseconds(body));
    }
    return figures;
}

}  // namespace penstock::bench
