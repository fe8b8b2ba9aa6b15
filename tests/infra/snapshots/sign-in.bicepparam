// Everything that can be made stricter: sign-in, no stored keys, a locked audit trail.
using '../../../infra/main.bicep'

param environmentName = 'segments-prod'
param location = 'westeurope'
param alertEmail = 'operators@example.com'
param entraClientId = '44444444-4444-4444-4444-444444444444'
param entraClients = '55555555-5555-5555-5555-555555555555'
param storeApiKeys = false
param auditTrailLocked = true
