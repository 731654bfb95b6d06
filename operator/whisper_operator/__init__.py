"""The operator: reconciles `WhisperDeployment` resources into pools of inference pods, one pool per kind of device."""
