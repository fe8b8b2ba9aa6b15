// Segments land in an account of somebody else's subscription, behind a firewall.
using '../../../infra/main.bicep'

param environmentName = 'segments-prod'
param location = 'westeurope'
param alertEmail = 'operators@example.com'
param segmentStorageAccountId = '/subscriptions/33333333-3333-3333-3333-333333333333/resourceGroups/marketing-data/providers/Microsoft.Storage/storageAccounts/marketingsegments'
param segmentPrefix = 'newsletter'
param segmentQuietSeconds = 900
param vnetEnabled = true
