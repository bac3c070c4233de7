// SPDX-License-Identifier: MIT
#include "story.hpp"
