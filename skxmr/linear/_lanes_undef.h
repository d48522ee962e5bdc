#undef LANE_TARGET
#undef LANE_VISIT
#undef VEC_F
#undef VEC_I
#undef WIDTH
#undef ACROSS
#undef BIT_OF_LANE
#undef TO_BITS
