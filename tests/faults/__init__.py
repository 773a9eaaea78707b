"""The rig that breaks the real system, and the checker that judges what it then says."""
