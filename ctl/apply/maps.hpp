// SPDX-License-Identifier: Apache-2.0
// The pinned maps as memory and as plain calls. Arrays are mapped; a hash is mirrored, which holds because nobody else writes it.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bpf/abi/pst_abi.h"
#include "ctl/plan/steering_plan.hpp"
#include "ctl/plan/step.hpp"
#include "userspace/base/result.hpp"

struct bpf_map;
struct pst_edge;

namespace penstock::apply {

// A mapped array; unmapped with it.
template <class T>
class MappedArray {
public:
    MappedArray() = default;
    MappedArray(T* start, std::size_t count, std::size_t bytes) : start_(start), count_(count), bytes_(bytes) {}
    MappedArray(MappedArray&& other) noexcept { *this = std::move(other); }
    MappedArray& operator=(MappedArray&& other) noexcept {
        std::swap(start_, other.start_);
        std::swap(count_, other.count_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    MappedArray(const MappedArray&) = delete;
    MappedArray& operator=(const MappedArray&) = delete;
    ~MappedArray() {
        if (start_ != nullptr) {
            munmap(start_, bytes_);
        }
    }
    [[nodiscard]] std::span<T> get() const { return {start_, count_}; }

private:
    T* start_ = nullptr;
    std::size_t count_ = 0;
    std::size_t bytes_ = 0;
};

class Maps {
public:
    // Of a loaded object. It must outlive this.
    static Result<Maps> open(const pst_edge& object);

    [[nodiscard]] plan::Observed observed() const;
    Status write(const plan::Step& step);

    [[nodiscard]] pst_config config() const;
    [[nodiscard]] std::span<const pst_link> links() const { return links_.get(); }
    [[nodiscard]] const std::map<std::uint32_t, std::uint32_t>& link_of() const { return link_of_; }

    // Sums over CPUs.
    [[nodiscard]] pst_verdict_count verdict(std::uint32_t verdict) const;
    [[nodiscard]] pst_backend_count backend(std::uint32_t id) const;
    [[nodiscard]] pst_service_count service(std::uint32_t id) const;

private:
    struct Write;  // one function for each kind of step
    explicit Maps(const pst_edge& object) : object_(&object) {}
    Status read_hashes();
    template <class T>
    [[nodiscard]] std::vector<T> per_cpu(const bpf_map* map, std::uint32_t key) const;

    const pst_edge* object_;
    MappedArray<pst_filter> filter_;
    MappedArray<pst_service_word_t> services_;
    MappedArray<std::uint32_t> slots_;
    MappedArray<pst_backend> backends_;
    MappedArray<pst_link> links_;
    std::map<plan::VipKey, pst_vip> vips_;
    std::size_t vips_max_ = 0;
    std::map<std::uint32_t, std::uint32_t> link_of_;
};

}  // namespace penstock::apply
