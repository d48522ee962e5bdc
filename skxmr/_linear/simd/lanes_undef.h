/* Ends what lane_kernels.h names for one instruction set. */
#undef LANE_TARGET
#undef COUNT
#undef LANE_NAME
#undef VEC_F
#undef VEC_I
#undef VEC_H
#undef VEC_B
#undef WIDTH
#undef ACROSS
#undef BIT_OF_LANE
#undef TO_BITS
