/* Ends what _lane_kernels.h names for one instruction set. */
#undef LANE_TARGET
#undef COUNT
#undef LANE_VISIT
#undef LANE_KEPT
#undef LANE_FIND
#undef LANE_MARGINS
#undef VEC_F
#undef VEC_I
#undef WIDTH
#undef ACROSS
#undef BIT_OF_LANE
#undef TO_BITS
